"""Simulated jobs, random fleets, and the expected totals."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.demo import demo_fleets
from exporter.domain.units import HOUR
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import DOCUMENT_KINDS, TERMINAL, PlannedJob
from exporter.simulator.qbusiness_demo import demo_fleet
from exporter.simulator.service import SimulatedService
from tests.support.builders import NOON
from tests.support.manual_clock import ManualClock
from tests.support.oracle import Totals, expected_totals
from tests.support.random_fleet import random_fleet
from tests.support.simulated_service import body_of, get, jobs_path, one_index

SECONDS = st.floats(0.0, 5000.0) | st.sampled_from([0.0, 0.1, 1 / 3, 60.0])
JOBS = st.builds(
    PlannedJob,
    st.just(make_id("job")),
    started=st.floats(NOON, NOON + 1000),
    crawl_seconds=SECONDS,
    index_seconds=SECONDS,
    stopping_seconds=SECONDS,
    outcome=st.sampled_from([*TERMINAL, None]),
    documents=st.dictionaries(st.sampled_from(DOCUMENT_KINDS), st.integers(0, 10**9)),
)


@given(JOBS, st.lists(st.floats(-10.0, 20_000.0), max_size=30))
def test_counts_never_decrease_and_an_end_is_final(job: PlannedJob, offsets: list[float]) -> None:
    """At any times, the last counts are the final ones, and the end is the planned one."""
    moments = sorted([*(job.started + offset for offset in offsets), job.started, job.started + 20_001])
    entries: list[dict[str, Any]] = [entry for entry in map(job.to_json, moments) if entry]
    counts = [{name: int(n) for name, n in entry.get("metrics", {}).items()} for entry in entries]
    for earlier, later in pairwise(counts):
        assert all(later[name] >= n for name, n in earlier.items())
    terminal = [entry["status"] in TERMINAL for entry in entries]
    assert terminal == sorted(terminal)
    assert counts[-1] == {f"documents{kind.capitalize()}": n for kind, n in job.documents.items()}
    if job.outcome:
        assert entries[-1]["status"] == job.outcome
        assert entries[-1]["endTime"] == round(job.ends, 3)
    else:
        assert {entry["status"] for entry in entries} == {"SYNCING"}


@given(JOBS)
def test_a_job_has_its_final_counts_at_its_end(job: PlannedJob) -> None:
    """A rounding error does not delay them."""
    if job.outcome:
        entry = job.to_json(job.ends)
        assert entry
        assert entry["status"] == job.outcome
        assert job.document_counts(job.ends) == job.documents


@pytest.mark.parametrize(
    ("outcome", "stops", "expected"),
    [
        ("SUCCEEDED", 0.0, ["SYNCING", "SYNCING_INDEXING", "SUCCEEDED"]),
        ("INCOMPLETE", 0.0, ["SYNCING", "SYNCING_INDEXING", "INCOMPLETE"]),
        ("SUCCEEDED", 10.0, ["SYNCING", "STOPPING", "SYNCING_INDEXING", "SUCCEEDED"]),
        ("ABORTED", 0.0, ["SYNCING", "STOPPING", "ABORTED"]),
        ("FAILED", 0.0, ["SYNCING", "FAILED"]),
        (None, 0.0, ["SYNCING"]),
    ],
)
def test_a_job_goes_through_its_statuses(outcome: str | None, stops: float, expected: list[str]) -> None:
    """The order is that in AWS's documentation."""
    job = PlannedJob(make_id(1), NOON, 30, 30, outcome, stopping_seconds=stops)
    assert list(dict.fromkeys(job.status(NOON + second) for second in range(200))) == expected


def test_a_job_does_not_exist_before_its_start() -> None:
    """It has no entry, and no list contains it."""
    job = PlannedJob(make_id(1), NOON)
    assert job.to_json(NOON - 0.001) is None
    assert SimulatedDataSource("a", jobs=[job]).listed_jobs(NOON - 0.001) == []
    assert SimulatedDataSource("a", jobs=[job]).listed_jobs(NOON) == [job]


def test_a_failed_job_has_its_error_in_either_member() -> None:
    """AWS does not document which one has the connector's code. Missing counts are absent, not zero."""
    by_code = PlannedJob(make_id(1), NOON, 9, 0, "FAILED", source_error="SPE-5002").to_json(NOON + 10)
    assert by_code == {
        "executionId": make_id(1),
        "startTime": NOON,
        "endTime": NOON + 9,
        "status": "FAILED",
        "error": {},
        "dataSourceErrorCode": "SPE-5002",
    }
    by_message = PlannedJob(make_id(1), NOON, 9, 0, "FAILED", {"added": 0}, "InvalidRequest", "CNF-5501: no").to_json(
        NOON + 9
    )
    assert by_message
    assert by_message["error"] == {"errorCode": "InvalidRequest", "errorMessage": "CNF-5501: no"}
    assert by_message["metrics"] == {"documentsAdded": "0"}
    assert "dataSourceErrorCode" not in by_message


def observe(source: SimulatedDataSource, since: float, until: float, step: float) -> Totals:
    """Return the totals counted from repeated responses, as an exporter counts them."""
    clock = ManualClock(since)
    fleet, _ = one_index(source)
    service = SimulatedService(fleet, clock)
    path = jobs_path(fleet, source)
    last: dict[str, dict[str, int]] = {}
    ended: set[str] = set()
    totals = Totals(dict.fromkeys(TERMINAL, 0), dict.fromkeys(DOCUMENT_KINDS, 0), dict.fromkeys(TERMINAL, 0.0))
    watching = False
    for now in (*(since + n * step for n in range(int((until - since) / step) + 1)), until):
        clock.set(now)
        for job in all_pages(service, path):
            name, counts = (
                job["executionId"],
                {k.removeprefix("documents").lower(): int(v) for k, v in job.get("metrics", {}).items()},
            )
            before = last.get(name, counts if not watching else {})
            for kind, count in counts.items():
                totals.documents[kind] += count - before.get(kind, 0)
            last[name] = counts
            if job["status"] in TERMINAL and name not in ended:
                ended.add(name)
                if watching:
                    totals.completed[job["status"]] += 1
                    totals.seconds[job["status"]] += job["endTime"] - job["startTime"]
        watching = True
    return totals


def all_pages(service: SimulatedService, path: str) -> list[dict[str, Any]]:
    """Return the jobs on all pages."""
    page = body_of(get(service, path))
    jobs: list[dict[str, Any]] = page["history"]
    while "nextToken" in page:
        page = body_of(get(service, path, nextToken=page["nextToken"]))
        jobs += page["history"]
    return jobs


@pytest.mark.parametrize("seed", range(4))
def test_expected_totals_equal_those_of_repeated_polls(seed: int) -> None:
    """This holds for all kinds of data sources, between two times within their jobs."""
    until = NOON + 4 * HOUR
    watched = 0
    for _, _, source in random_fleet(seed, 8, NOON, odd=False).data_sources():
        expected, seen = expected_totals(source, NOON, until), observe(source, NOON, until, 293.0)
        assert expected.completed == seen.completed, source.name
        assert expected.documents == seen.documents, source.name
        assert expected.seconds == pytest.approx(seen.seconds), source.name
        watched += sum(expected.completed.values())
    assert watched > 0


def test_expected_totals_leave_out_what_preceded_the_watch() -> None:
    """Ended jobs are history, running jobs count from their current counts, and absent counts are zero."""
    source = SimulatedDataSource(
        "a",
        jobs=[
            PlannedJob(make_id("history"), NOON - 200, 100, 100, documents={"added": 1000}),
            PlannedJob(make_id("running"), NOON - 50, 50, 50, "INCOMPLETE", {"added": 100, "scanned": 10}),
            PlannedJob(make_id("failed"), NOON + 10, 5, 0, "FAILED"),
            PlannedJob(make_id("endless"), NOON + 20, 100, 0, None, {"modified": 50}),
            PlannedJob(make_id("later"), NOON + 71, documents={"deleted": 7}),
        ],
    )
    expected = expected_totals(source, NOON, NOON + 70)
    assert expected.completed == {"SUCCEEDED": 0, "INCOMPLETE": 1, "FAILED": 1, "ABORTED": 0}
    assert expected.documents == {"added": 50, "modified": 25, "deleted": 0, "failed": 0, "scanned": 0}
    assert expected.seconds == {"SUCCEEDED": 0, "INCOMPLETE": 100, "FAILED": 5, "ABORTED": 0}


def test_expected_totals_include_jobs_that_are_no_longer_listed() -> None:
    """A job that left the list has ended."""
    source = demo_fleet(NOON).applications[1].indexes[0].data_sources[-1]
    assert source.routine
    span = 500 * source.routine.period
    assert len(source.listed_jobs(NOON + span)) < 500 - 10
    assert sum(expected_totals(source, NOON, NOON + span).completed.values()) == pytest.approx(500, abs=3)


def test_a_random_fleet_is_the_same_for_the_same_seed() -> None:
    """Another seed produces another fleet."""

    def drawn(seed: int) -> list[object]:
        sources = [source for _, _, source in random_fleet(seed, 12, NOON).data_sources()]
        return [(source.name, source.kind, source.listed_jobs(NOON)) for source in sources]

    assert len(drawn(1)) == 12
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_random_fleets_have_all_observed_behaviour_of_aws() -> None:
    """They contain every status, irregular job, form of error and kind of data source."""
    sources = [source for seed in range(12) for _, _, source in random_fleet(seed, 25, NOON).data_sources()]
    jobs = [job for source in sources for job in source.listed_jobs(NOON)]
    entries = [entry for entry in (job.to_json(NOON) for job in jobs) if entry]
    statuses = {entry["status"] for entry in entries}
    assert statuses == {*TERMINAL, "SYNCING", "STOPPING", "SYNCING_INDEXING", "PAUSED"}
    assert any(job.ends == math.inf and job.started < NOON - 24 * HOUR for job in jobs)
    assert any(not source.listed_jobs(NOON) for source in sources)
    assert {source.status for source in sources} >= {"ACTIVE", "FAILED", "UPDATING"}
    assert not [
        s for s in sources if s.kind == "CUSTOM" and (s.schedule or any("scanned" in j.documents for j in s.jobs))
    ]
    for member in ("error", "metrics", "executionId", "startTime"):
        assert any(member not in entry for entry in entries), member
    assert any("endTime" not in entry for entry in entries if entry["status"] == "SUCCEEDED")
    failed = [entry for entry in entries if entry["status"] == "FAILED"]
    assert any("dataSourceErrorCode" in entry for entry in failed)
    assert any("\n" in entry["error"].get("errorMessage", "") for entry in failed if "error" in entry)


def test_in_the_demo_jobs_start_and_end_in_every_minute() -> None:
    """This holds for the first hour. The demo has an example of each situation."""
    fleets = demo_fleets(NOON).values()
    sources = {source.name: source for fleet in fleets for _, _, source in fleet.data_sources()}
    for minute in range(60):
        before, after = NOON + minute * 60, NOON + (minute + 1) * 60
        started = [j for s in sources.values() for j in s.listed_jobs(after) if j.started > before]
        ended = [j for s in sources.values() for j in s.listed_jobs(after) if before < j.ends <= after]
        assert started
        assert ended
    assert len(sources) >= 12
    outcomes = {name: {job.outcome for job in source.listed_jobs(NOON)} for name, source in sources.items()}
    assert set().union(*outcomes.values()) == {*TERMINAL, None}
    assert outcomes["policies-s3"] == {"INCOMPLETE"}
    assert outcomes["engineering-confluence"] == {"FAILED"}
    assert not outcomes["legal-onedrive"]
