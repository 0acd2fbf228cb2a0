"""The backfill of one data source: its times, its values, and the boundary at which live counting starts."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from docs.generate import metrics_page
from exporter.backfill import Replay, Spool
from exporter.backfill.boundary import backfilled_end
from exporter.backfill.families import ABSENT, FROM_SCHEDULE, TIME_OF_DATA
from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData, SourceHistory
from exporter.domain.model import Description, Location, Names, SyncJob
from exporter.domain.snapshots import SourceSnapshot
from exporter.domain.units import HOUR
from exporter.metrics import FamilyFilter, SourceFamilies, source_families
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.providers.registry import SERVICES
from tests.support.builders import NOON, POLICY, make_job, make_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.backfill import Timeline

STEP = 300.0
FAMILIES = {service: SourceFamilies(service, POLICY.window) for service in SERVICES.values()}
POLICIES = dict.fromkeys(SERVICES.values(), POLICY)
COMPLETED = "qbusiness_sync_jobs_completed_total"
CURRENT_VALUE = frozenset(
    {
        "data_source_info",
        "data_source_created_timestamp_seconds",
        "data_source_updated_timestamp_seconds",
        "data_source_objective_max_success_age_seconds",
        "data_source_objective_max_duration_seconds",
        "data_source_objective_max_failed_ratio",
        "data_source_objective_min_documents_scanned",
    }
)
"""Facts and objectives whose current values are used for all samples."""

HOURLY = Description("hr", "S3", "ACTIVE", NOON, NOON, "cron(0 * * * ? *)")


def snapshot(history: SourceHistory, description: Description = HOURLY) -> SourceSnapshot:
    """Build the current snapshot of a data source."""
    location = Location("111122223333", "us-east-1")
    return SourceSnapshot(make_source(), Names("intranet", "hr"), history, True, NOON, "main", description, location)  # noqa: FBT003 (a record)


def make_replay(**labels: str) -> Replay:
    """Build a replay that adds labels to each series."""
    return Replay(FAMILIES, POLICIES, STEP, labels)


def backfill(
    jobs: Sequence[SyncJob], live: SourceHistory, since: float | None = None, **labels: str
) -> Timeline | None:
    """Compute the samples from before the live history."""
    return Replay(FAMILIES, POLICIES, STEP, labels).timeline(snapshot(live), jobs, since)


def watched_since(time: float) -> SourceHistory:
    """Build the history of a data source without jobs since it is watched."""
    return SourceHistory(time, time)


def lines_of(timeline: Timeline | None) -> list[str]:
    """Write a timeline, and return its lines."""
    with Spool(STEP) as spool:
        if timeline:
            spool.add(timeline)
        lines = b"".join(spool.pieces(lambda _: None)).decode().removesuffix("\n").split("\n")
        assert spool.samples == sum(not line.startswith("#") for line in lines)
        return lines


def samples(timeline: Timeline | None, name: str, text: str = "") -> dict[float, float]:
    """Return the values of a metric by time, from the lines that contain a text."""
    lines = [line for line in lines_of(timeline) if line.startswith(name + "{") and text in line]
    return {float(line.split(" ")[-1]): float(line.split(" ")[-2]) for line in lines}


def test_samples_begin_before_the_first_job_and_end_before_the_exporter_watches() -> None:
    """They are on multiples of the step. Counters start at 0, reach the number of jobs, and are reset."""
    boundary = NOON + 2000.25
    found = samples(
        backfill([make_job(started=NOON + 10, lasted=600)], watched_since(boundary)), COMPLETED, "SUCCEEDED"
    )
    first = NOON // STEP * STEP
    on_steps = [first + n * STEP for n in range(math.ceil((boundary - 3 - first) / STEP))]
    assert list(found) == [*on_steps, math.floor(boundary) - 2, math.floor(boundary) - 1]
    assert [value for time, value in found.items() if time < NOON + 610] == [0, 0, 0]
    assert found[math.floor(boundary) - 2] == 1
    assert found[math.floor(boundary) - 1] == 0


def test_a_job_between_two_steps_is_counted_but_never_running() -> None:
    """As for a live poll at each step."""
    jobs = [make_job("a", started=NOON), make_job("b", started=NOON + 1010, lasted=5, scanned=7)]
    timeline = backfill(jobs, watched_since(NOON + HOUR))
    running = samples(timeline, "qbusiness_sync_running")
    assert {time for time, value in running.items() if value} == {t for t in running if NOON <= t < NOON + 600}
    assert max(samples(timeline, "qbusiness_documents_scanned_total").values()) == 7


def test_a_job_in_progress_is_syncing_and_has_no_document_counts() -> None:
    """AWS does not record the progress of earlier jobs: absent is not 0."""
    timeline = backfill([make_job(started=NOON, lasted=HOUR, added=3)], watched_since(NOON + 2 * HOUR))
    found = samples(timeline, "qbusiness_sync_status", 'status="SYNCING"')
    within = [value for time, value in found.items() if time < NOON + HOUR]
    assert within[2:]
    assert set(within[1:]) == {1}
    assert not any(line.startswith("qbusiness_running_sync_documents") for line in lines_of(timeline))
    documents = samples(timeline, "qbusiness_documents_added_total")
    assert {value for time, value in documents.items() if time < NOON + HOUR} == {0}
    assert documents[math.floor(NOON + 2 * HOUR) - 2] == 3


def test_a_series_has_no_samples_after_it_ended() -> None:
    """The start of the running job is absent once no job is running."""
    timeline = backfill([make_job(started=NOON, lasted=900)], watched_since(NOON + HOUR))
    found = samples(timeline, "qbusiness_running_sync_start_timestamp_seconds")
    assert found
    assert max(found) < NOON + 900 <= max(found) + STEP


def test_jobs_that_ended_before_the_first_sample_are_not_counted() -> None:
    """They affect gauges and not counters, as at the first live poll."""
    jobs = [make_job("a", "FAILED", started=NOON - HOUR), make_job("b", started=NOON + 10)]
    timeline = backfill(jobs, watched_since(NOON + HOUR), since=NOON)
    assert set(samples(timeline, COMPLETED, "FAILED").values()) == {0}
    assert next(iter(samples(timeline, "qbusiness_consecutive_failed_syncs").values())) == 1


def test_the_schedule_applies_since_it_exists() -> None:
    """Before that, the data source may have had another schedule."""
    jobs = [make_job(started=NOON)]
    description = replace(HOURLY, schedule_since=NOON + HOUR)
    replay = make_replay()
    timeline = replay.timeline(snapshot(watched_since(NOON + 3 * HOUR), description), jobs, None)
    previous = samples(timeline, "qbusiness_data_source_previous_scheduled_sync_timestamp_seconds")
    first_firing = (NOON + HOUR) // HOUR * HOUR + HOUR
    for name in FROM_SCHEDULE:
        found = samples(timeline, f"qbusiness_{name}")
        since = first_firing if found == previous else NOON + HOUR
        assert since <= min(found) < since + STEP
    assert all(time // HOUR * HOUR == fired for time, fired in previous.items())
    assert samples(timeline, f"qbusiness_{TIME_OF_DATA}") == {
        time: time for time in samples(timeline, COMPLETED, "FAILED")
    }


def test_excluded_families_are_not_backfilled() -> None:
    """This applies even to the time of the data, which is otherwise in every backfill."""
    excluded = FamilyFilter(("qbusiness_last_successful_poll_*", "qbusiness_sync_jobs_completed_total"))
    families = SourceFamilies(QBUSINESS, POLICY.window, filter=excluded)
    jobs = [make_job("a", started=NOON - 3 * HOUR)]
    timeline = Replay({QBUSINESS: families}, POLICIES, STEP).timeline(snapshot(watched_since(NOON)), jobs, None)
    assert timeline
    assert "qbusiness_sync_running" in timeline.headers
    assert not timeline.headers.keys() & {"qbusiness_sync_jobs_completed", f"qbusiness_{TIME_OF_DATA}"}


def test_labels_are_on_every_line_and_escaped() -> None:
    """They are the labels that Prometheus adds to scraped series."""
    job = 'a "quoted"\nline\rand \\ more'
    lines = [line for line in lines_of(backfill([make_job()], watched_since(NOON + HOUR), job=job)) if line[0] != "#"]
    joined = "\n".join(lines)
    assert joined.count('job="a \\"quoted\\"\\nline') == joined.count("data_source_id=") > 100


@pytest.mark.parametrize(
    ("jobs", "watched", "since"),
    [
        ([], NOON, None),
        ([make_job(started=NOON)], NOON, None),
        ([make_job(started=NOON)], NOON + HOUR, NOON + 2 * HOUR),
    ],
    ids=["never synced", "first synced while watched", "watched since before --since"],
)
def test_there_may_be_no_samples(jobs: list[SyncJob], watched: float, since: float | None) -> None:
    """The output is then an empty exposition."""
    assert backfill(jobs, watched_since(watched), since) is None
    assert lines_of(None) == ["# EOF"]


def as_listed(job: SyncJob, now: float) -> SyncJob:
    """Return a job as AWS lists it at some time."""
    end = math.inf if job.ended is None else job.ended
    return job if now >= end else SyncJob(job.execution_id, "SYNCING", job.started)


@settings(max_examples=40)
@given(
    jobs=st.lists(
        st.tuples(
            st.floats(-5 * HOUR, 2 * HOUR),
            st.one_of(st.floats(1, 3 * HOUR), st.sampled_from([1.0, 60.0])),
            st.sampled_from(["SUCCEEDED", "FAILED", "ABORTED"]),
        ),
        min_size=1,
        max_size=12,
    ),
    first_poll=st.floats(0, 2),
    discovered=st.booleans(),
)
def test_each_job_is_counted_on_one_side_of_the_boundary(
    jobs: list[tuple[float, float, str]],
    first_poll: float,
    discovered: bool,  # noqa: FBT001 (a strategy)
) -> None:
    """Backfilled and live counts add up to all jobs, whenever each job started and ended."""
    first_poll += NOON
    all_jobs = [
        make_job(str(number), status, round(NOON + start, 3), round(lasted, 3))
        for number, (start, lasted, status) in enumerate(jobs)
    ]
    live = watched_since(math.floor(first_poll) + 1.0) if discovered else None
    now = first_poll
    while now < NOON + 6 * HOUR:
        listed = tuple(as_listed(job, now) for job in all_jobs if job.started <= now)
        live = fold(live, PollData(listed, float(math.floor(now)), float(math.floor(now))), POLICY)
        now += 613.0 if now > first_poll else 1.5
    assert live
    backfilled = final_counts(backfill(all_jobs, live))
    for status in ("SUCCEEDED", "FAILED", "ABORTED"):
        counted = backfilled.get(status, 0) + live.completed.get(status, 0)
        assert counted == sum(job.status == status for job in all_jobs)


def final_counts(timeline: Timeline | None) -> dict[str, float]:
    """Return the numbers of completed jobs at the end of the backfill, by status."""
    if timeline is None:
        return {}
    statuses = ("SUCCEEDED", "FAILED", "ABORTED")
    return {status: samples(timeline, COMPLETED, f'status="{status}"')[timeline.times.end] for status in statuses}


def test_the_documentation_lists_every_metric() -> None:
    """docs/backfill.md describes each family, and each listed family exists."""
    page = (Path(__file__).parents[2] / "docs" / "backfill.md").read_text()
    listed = {name for line in page.splitlines() if line.startswith("| `") for name in re.findall("`[^`]+`", line)}
    kinds = [kind for kind, _ in QBUSINESS.members.document_counts]
    for name in (line.split("`")[1] for line in metrics_page().splitlines() if line.startswith("| `qbusiness_")):
        together = re.sub(rf"_({'|'.join(kinds)})(_total)?$", rf"_{{{','.join(kinds)}}}\2", name)
        of_exporter = name.startswith("qbusiness_exporter_")
        assert of_exporter or {f"`{name}`", f"`{together}`"} & listed, f"docs/backfill.md does not list {name}"
    names = {
        family.name.removeprefix(f"{service.name}_")
        for service in SERVICES.values()
        for family in source_families(service)
    }
    assert names >= ABSENT | CURRENT_VALUE | FROM_SCHEDULE | {TIME_OF_DATA}
    assert not ABSENT & (CURRENT_VALUE | FROM_SCHEDULE | {TIME_OF_DATA})


def test_an_evicted_job_that_is_listed_again_is_backfilled_only_if_it_was_not_counted() -> None:
    """The exporter counted jobs that ended after it started to watch; the backfill must not count them again."""
    before = make_job("before", started=NOON - HOUR, lasted=60)
    counted = make_job("counted", started=NOON + HOUR, lasted=60)
    later = [make_job(f"d{n}", started=NOON + n * 24 * HOUR, lasted=60) for n in range(1, 30)]
    history = SourceHistory(watched_since=NOON, as_of=NOON)
    for job in (before, counted, *later):
        history = fold(history, PollData((job,), max(NOON, job.started + HOUR), job.started + HOUR), POLICY)
    assert not {before.execution_id, counted.execution_id} & history.jobs.keys()
    again = tuple(structs.replace(job, status="SYNCING", ended=None) for job in (before, counted))
    history = fold(history, PollData(again, history.as_of + HOUR, history.as_of + HOUR), POLICY)
    assert {before.execution_id, counted.execution_id} <= history.jobs.keys()
    assert (backfilled_end(before, history), backfilled_end(counted, history)) == (before.ended, math.inf)
