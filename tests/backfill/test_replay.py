"""The past of one data source: which moments, which figures, and no job twice over the seam."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docs.generate import metrics_page
from exporter.backfill import Replay, Spool
from exporter.backfill.boundary import told_to_end
from exporter.backfill.families import AS_OF, SINCE_UPDATED, STANDING, UNKNOWN
from exporter.domain.history import fold
from exporter.domain.model import DOCUMENT_KINDS, Description, Location, Names, SyncJob
from exporter.domain.snapshots import SourceSnapshot
from exporter.domain.source_history import PollData, SourceHistory
from exporter.metrics import FAMILIES, SourceFamilies
from tests.support.builders import HOUR, NOON, POLICY, make_job, make_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.backfill import Timeline

STEP = 300.0
COMPLETED = "qbusiness_sync_jobs_completed_total"
DAILY = Description("hr", "S3", "ACTIVE", NOON, NOON, "cron(0 * * * ? *)")


def snapshot(history: SourceHistory, description: Description = DAILY) -> SourceSnapshot:
    """Build what is known of a source that is watched."""
    location = Location("111122223333", "us-east-1")
    return SourceSnapshot(make_source(), Names("intranet", "hr"), history, True, NOON, "main", description, location)  # noqa: FBT003 (a record)


def told(
    jobs: Sequence[SyncJob], watched: SourceHistory, since: float | None = None, step: float = STEP, **labels: str
) -> Timeline | None:
    """Tell the past of a source."""
    return Replay(SourceFamilies(POLICY.window), POLICY, step, labels).tell(snapshot(watched), jobs, since)


def watched_since(moment: float) -> SourceHistory:
    """Give the history of a source that is watched and has had no jobs since."""
    return SourceHistory(moment, moment)


def lines_of(timeline: Timeline | None, step: float = STEP) -> list[str]:
    """Write a past down."""
    with Spool(step) as spool:
        if timeline:
            spool.put(timeline)
        written = b"".join(spool.pieces(lambda _: None)).decode().removesuffix("\n").split("\n")
        assert spool.samples == sum(not line.startswith("#") for line in written)
        return written


def samples(timeline: Timeline | None, name: str, text: str = "", step: float = STEP) -> dict[float, float]:
    """Give a name's values by their moments, where a line has a text in it."""
    lines = [line for line in lines_of(timeline, step) if line.startswith(name + "{") and text in line]
    return {float(line.split(" ")[-1]): float(line.split(" ")[-2]) for line in lines}


def test_the_past_begins_before_the_first_job_and_ends_before_the_watch() -> None:
    """On whole steps; counters are born at 0, end at what was counted, and begin anew with the watch."""
    seam = NOON + 2000.25
    found = samples(told([make_job(started=NOON + 10, lasted=600)], watched_since(seam)), COMPLETED, "SUCCEEDED")
    first = NOON // STEP * STEP
    whole = [first + n * STEP for n in range(math.ceil((seam - 3 - first) / STEP))]
    assert list(found) == [*whole, math.floor(seam) - 2, math.floor(seam) - 1]
    assert [value for moment, value in found.items() if moment < NOON + 610] == [0, 0, 0]
    assert found[math.floor(seam) - 2] == 1
    assert found[math.floor(seam) - 1] == 0


def test_what_happens_between_two_steps_is_counted_and_not_seen() -> None:
    """As a poll would."""
    jobs = [make_job("a", started=NOON), make_job("b", started=NOON + 1010, lasted=5, scanned=7)]
    timeline = told(jobs, watched_since(NOON + HOUR))
    running = samples(timeline, "qbusiness_sync_running")
    assert {moment for moment, value in running.items() if value} == {m for m in running if NOON <= m < NOON + 600}
    assert max(samples(timeline, "qbusiness_documents_scanned_total").values()) == 7


def test_a_job_in_progress_is_syncing_and_says_no_figures() -> None:
    """How far it was nobody wrote down, and absent is not 0."""
    timeline = told([make_job(started=NOON, lasted=HOUR, added=3)], watched_since(NOON + 2 * HOUR))
    found = samples(timeline, "qbusiness_sync_status", 'status="SYNCING"')
    within = [value for at, value in found.items() if at < NOON + HOUR]
    assert within[2:]
    assert set(within[1:]) == {1}
    assert not any(line.startswith("qbusiness_running_sync_documents") for line in lines_of(timeline))
    documents = samples(timeline, "qbusiness_documents_added_total")
    assert {value for at, value in documents.items() if at < NOON + HOUR} == {0}
    assert documents[math.floor(NOON + 2 * HOUR) - 2] == 3


def test_a_series_that_ends_is_absent_from_then_on() -> None:
    """The start of a running job, once none is running."""
    timeline = told([make_job(started=NOON, lasted=900)], watched_since(NOON + HOUR))
    found = samples(timeline, "qbusiness_running_sync_start_timestamp_seconds")
    assert found
    assert max(found) < NOON + 900 <= max(found) + STEP


def test_what_was_over_before_the_first_moment_is_history() -> None:
    """It is in the gauges and not in the counters, as at a first poll."""
    jobs = [make_job("a", "FAILED", started=NOON - HOUR), make_job("b", started=NOON + 10)]
    timeline = told(jobs, watched_since(NOON + HOUR), since=NOON)
    assert set(samples(timeline, COMPLETED, "FAILED").values()) == {0}
    assert next(iter(samples(timeline, "qbusiness_consecutive_failed_syncs").values())) == 1


def test_the_schedule_is_told_from_when_it_is_known_to_have_been_this() -> None:
    """Before the last update of the data source it may have been another."""
    jobs = [make_job(started=NOON)]
    description = replace(DAILY, updated=NOON + HOUR)
    replay = Replay(SourceFamilies(POLICY.window), POLICY, STEP)
    timeline = replay.tell(snapshot(watched_since(NOON + 3 * HOUR), description), jobs, None)
    for name in SINCE_UPDATED:
        found = samples(timeline, name)
        assert NOON + HOUR <= min(found) < NOON + HOUR + STEP
    previous = samples(timeline, "qbusiness_data_source_previous_scheduled_sync_timestamp_seconds")
    assert all(moment // HOUR * HOUR == fired for moment, fired in previous.items())
    assert samples(timeline, AS_OF) == {moment: moment for moment in samples(timeline, COMPLETED, "FAILED")}


def test_labels_are_on_every_line_and_are_escaped() -> None:
    """Those that Prometheus would have added."""
    odd = 'a "quoted"\nline\rand \\ more'
    lines = [line for line in lines_of(told([make_job()], watched_since(NOON + HOUR), job=odd)) if line[0] != "#"]
    joined = "\n".join(lines)
    assert joined.count('job="a \\"quoted\\"\\nline') == joined.count("data_source_id=") > 100


@pytest.mark.parametrize(
    ("jobs", "watched", "since"),
    [
        ([], NOON, None),
        ([make_job(started=NOON)], NOON, None),
        ([make_job(started=NOON)], NOON + HOUR, NOON + 2 * HOUR),
    ],
)
def test_there_may_be_no_past(jobs: list[SyncJob], watched: float, since: float | None) -> None:
    """Never synced, first synced under watch, or watched for longer than is asked for."""
    assert told(jobs, watched_since(watched), since) is None
    assert lines_of(None) == ["# EOF"]


def seen(job: SyncJob, now: float) -> SyncJob:
    """Give what AWS says of a job at a moment."""
    ends = math.inf if job.ended is None else job.ended
    return job if now >= ends else SyncJob(job.execution_id, "SYNCING", job.started)


@settings(max_examples=40)
@given(
    lives=st.lists(
        st.tuples(
            st.floats(-5 * HOUR, 2 * HOUR),
            st.one_of(st.floats(1, 3 * HOUR), st.sampled_from([1.0, 60.0])),
            st.sampled_from(["SUCCEEDED", "FAILED", "ABORTED"]),
        ),
        min_size=1,
        max_size=12,
    ),
    began=st.floats(0, 2),
    found_by_discovery=st.booleans(),
)
def test_over_the_seam_each_job_is_counted_once(
    lives: list[tuple[float, float, str]],
    began: float,
    found_by_discovery: bool,  # noqa: FBT001 (a strategy)
) -> None:
    """What is told of the past and what is counted live make all of it, whenever each job began and ended."""
    first_poll = NOON + began
    jobs = [
        make_job(str(number), status, round(NOON + start, 3), round(lasted, 3))
        for number, (start, lasted, status) in enumerate(lives)
    ]
    live = watched_since(math.floor(first_poll) + 1.0) if found_by_discovery else None
    now = first_poll
    while now < NOON + 6 * HOUR:
        views = tuple(seen(job, now) for job in jobs if job.started <= now)
        live = fold(live, PollData(views, float(math.floor(now)), float(math.floor(now))), POLICY)
        now += 613.0 if now > first_poll else 1.5
    assert live
    past = samples_of_end(told(jobs, live))
    for status in ("SUCCEEDED", "FAILED", "ABORTED"):
        counted = past.get(status, 0) + live.completed.get(status, 0)
        assert counted == sum(job.status == status for job in jobs)


def samples_of_end(timeline: Timeline | None) -> dict[str, float]:
    """Give what was counted by the last moment that is told, by status."""
    if timeline is None:
        return {}
    last, statuses = timeline.steps.ends[0], ("SUCCEEDED", "FAILED", "ABORTED")
    return {status: samples(timeline, COMPLETED, f'status="{status}"')[last] for status in statuses}


def test_every_metric_is_decided_on() -> None:
    """The page says of each family what becomes of it in the past, and a new one has to be thought about."""
    page = (Path(__file__).parents[2] / "docs" / "backfill.md").read_text()
    told_of = {name for line in page.splitlines() if line.startswith("| `") for name in re.findall("`[^`]+`", line)}
    for name in (line.split("`")[1] for line in metrics_page().splitlines() if line.startswith("| `qbusiness_")):
        together = re.sub(rf"_({'|'.join(DOCUMENT_KINDS)})(_total)?$", rf"_{{{','.join(DOCUMENT_KINDS)}}}\2", name)
        of_exporter = name.startswith("qbusiness_exporter_")
        spelt = {f"`{name}`", f"`{together}`"}
        assert of_exporter or spelt & told_of, f"docs/backfill.md says nothing of {name}"
    names = {family.name for family in FAMILIES}
    assert names >= UNKNOWN | STANDING | SINCE_UPDATED | {AS_OF}
    assert not UNKNOWN & (STANDING | SINCE_UPDATED | {AS_OF})


def test_forgotten_jobs_that_are_found_again_are_told_to_end_where_they_were_not_counted() -> None:
    """Whoever watches counted what ended since: told as the past's too, it would be there twice."""
    before = make_job("before", started=NOON - HOUR, lasted=60)
    counted = make_job("counted", started=NOON + HOUR, lasted=60)
    later = [make_job(f"d{n}", started=NOON + n * 24 * HOUR, lasted=60) for n in range(1, 30)]
    history = SourceHistory(watched_since=NOON, as_of=NOON)
    for job in (before, counted, *later):
        history = fold(history, PollData((job,), max(NOON, job.started + HOUR), job.started + HOUR), POLICY)
    assert not {before.execution_id, counted.execution_id} & history.jobs.keys()
    again = tuple(replace(job, status="SYNCING", ended=None) for job in (before, counted))
    history = fold(history, PollData(again, history.as_of + HOUR, history.as_of + HOUR), POLICY)
    assert {before.execution_id, counted.execution_id} <= history.jobs.keys()
    assert (told_to_end(before, history), told_to_end(counted, history)) == (before.ended, math.inf)
