"""Causes that data sources share: which they are, since when, and the filter by one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import structs

from exporter.domain.snapshots import PollFailure
from exporter.domain.units import DAY, HOUR
from exporter.errors import Reason
from exporter.status.query import Query
from tests.support.builders import NOON
from tests.support.status_fixtures import DAILY, StatusFixture, ended_job, example_sources, make_snapshot

if TYPE_CHECKING:
    from exporter.domain.model import SyncJob
    from exporter.domain.snapshots import SourceSnapshot


def failed(ago: float, number: int = 0, connector: str = "", code: str = "InvalidRequest") -> SyncJob:
    """Return a job that failed `ago` seconds before NOON."""
    return structs.replace(ended_job("FAILED", ago, number), connector_error=connector, error_code=code)


def causes_of(*snapshots: SourceSnapshot) -> Any:
    """Return the causes that these sources share."""
    return StatusFixture.of(snapshots).status.document(Query())["causes"]


def cause_of(*jobs: SyncJob, **description: Any) -> str | None:
    """Return the cause of one source."""
    (source,) = StatusFixture.of([make_snapshot(1, "hr", *jobs, **description)]).status.document(Query())[
        "data_sources"
    ]
    cause: str | None = source["cause"]
    return cause


def test_sources_that_fail_with_the_same_code_share_a_cause() -> None:
    """The worst severity counts, and the time is that of the first failure of any of them."""
    once = make_snapshot(1, "one", failed(HOUR, connector="SPE-5001"))
    often = make_snapshot(2, "two", *(failed(n * HOUR, n, "SPE-5001") for n in (1, 2, 3)))
    other = make_snapshot(3, "three", failed(2 * HOUR, connector="SPE-5001"))
    assert causes_of(once, often, other) == [
        {"cause": "SPE-5001", "severity": "critical", "data_sources": 3, "since": NOON - 3 * HOUR}
    ]
    assert causes_of(once, often) == []


def test_the_most_frequent_cause_is_first() -> None:
    """Without a connector code, the code of AWS is the cause, and else the problem in words."""
    coded = [make_snapshot(n, f"coded-{n}", failed(HOUR, code="InternalError")) for n in range(3)]
    late = [
        make_snapshot(10 + n, f"late-{n}", ended_job("SUCCEEDED", 13 * HOUR, scanned=9), schedule=DAILY)
        for n in range(4)
    ]
    fine = [make_snapshot(20 + n, f"fine-{n}", ended_job("SUCCEEDED", HOUR, scanned=9)) for n in range(5)]
    assert causes_of(*coded, *late, *fine) == [
        {"cause": "Sync overdue", "severity": "warning", "data_sources": 4, "since": None},
        {"cause": "InternalError", "severity": "warning", "data_sources": 3, "since": NOON - HOUR},
    ]


def test_sources_whose_polls_fail_for_the_same_reason_share_a_cause() -> None:
    """The time is that of the oldest data."""
    fine = ended_job("SUCCEEDED", 3 * HOUR, scanned=9)
    failure = PollFailure(Reason.ACCESS_DENIED, "no")
    stale = [
        replace(make_snapshot(n, f"s-{n}", fine, polled=(n + 1) * HOUR), poll_succeeded=False, poll_failure=failure)
        for n in range(3)
    ]
    assert causes_of(*stale) == [
        {
            "cause": "polls failing: access_denied",
            "severity": "warning",
            "data_sources": 3,
            "since": NOON - 3 * HOUR,
        }
    ]


def test_a_source_without_a_problem_has_no_cause() -> None:
    """A problem of the severity `info` does not count."""
    assert cause_of(ended_job("SUCCEEDED", HOUR, scanned=9)) is None
    assert cause_of(ended_job("SUCCEEDED", HOUR, scanned=9), schedule="whenever") is None
    assert cause_of(failed(HOUR, code="")) == "failed without an error code"


def test_a_cause_begins_after_the_last_run_with_another_result() -> None:
    """A run that indexed content, or failed with another code, ends the previous cause. An aborted run does not."""
    runs = [failed(HOUR, 1, "SPE-5001"), ended_job("ABORTED", 2 * HOUR, 2), failed(3 * HOUR, 3, "SPE-5001")]
    for before in (ended_job("INCOMPLETE", 4 * HOUR, 4, scanned=5), failed(4 * HOUR, 4, "SPE-5200")):
        history = [*runs, before, failed(5 * HOUR, 5, "SPE-5001")]
        (cause,) = causes_of(*(make_snapshot(n, f"s-{n}", *history) for n in range(3)))
        assert cause["since"] == NOON - 3 * HOUR


def test_causes_and_counts_cover_all_sources_whatever_the_filter() -> None:
    """The filter by a cause returns exactly the sources that it counts."""
    fixture = StatusFixture.of(example_sources())
    document = fixture.status.document(Query())
    assert len(document["causes"]) >= 2
    for cause in document["causes"]:
        selected = fixture.status.document(Query(cause=cause["cause"]))
        assert selected["matching"] == cause["data_sources"]
        assert {each["cause"] for each in selected["data_sources"]} == {cause["cause"]}
        assert selected["causes"] == document["causes"]
    needing_attention = [each for each in document["data_sources"] if each["state"] in {"critical", "warning"}]
    assert all(each["cause"] for each in needing_attention)
    assert len(needing_attention) == document["summary"]["problem"]


def test_a_cause_ends_with_the_next_success() -> None:
    """A source that recovers leaves the group immediately."""
    broken = [make_snapshot(n, f"s-{n}", failed(HOUR, connector="CNF-5572")) for n in range(3)]
    fixture = StatusFixture.of(broken)
    assert [cause["data_sources"] for cause in fixture.status.document(Query())["causes"]] == [3]
    fixture.publish(make_snapshot(0, "s-0", failed(DAY), ended_job("SUCCEEDED", 60, scanned=5)))
    assert fixture.status.document(Query())["causes"] == []
