"""A job whose outcome is not listed is explained once, and counted only after that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from exporter.domain.counting.explanation import unexplained, with_explanations, without_outcome
from exporter.domain.counting.history import fold
from exporter.domain.units import HOUR
from tests.support.builders import NOON, POLICY, make_job, make_poll

if TYPE_CHECKING:
    from exporter.domain.counting.source_history import PollData, SourceHistory
    from exporter.domain.model import SyncJob

LATER = NOON + HOUR


def listed(name: str, started: float, **documents: int) -> SyncJob:
    """Build an ended job in the form of a listing, with the worst status that is possible."""
    return structs.replace(make_job(name, "INCOMPLETE", started, 60, **documents), needs_explanation=True)


def succeeded(job: SyncJob) -> SyncJob:
    """Return a job with its outcome."""
    return structs.replace(job, status="SUCCEEDED", needs_explanation=False)


def explain(history: SourceHistory | None, poll: PollData, *explained: SyncJob) -> SourceHistory:
    """Fold a poll after some of its jobs were explained."""
    jobs = unexplained(history, poll)
    known = {job.execution_id: succeeded(job) for job in explained}
    return fold(history, with_explanations(history, poll, jobs, known), POLICY)


def test_jobs_that_are_counted_are_explained_first_and_oldest_first() -> None:
    """Jobs from before the source was watched follow, the newest first. Known outcomes are not requested again."""
    watched = explain(None, make_poll(listed("old", NOON - 2 * HOUR), make_job("running", "SYNCING", NOON - 9)))
    known = explain(watched, make_poll(listed("known", NOON + 60), at=LATER), listed("known", NOON + 60))
    again = [listed(name, start) for name, start in (("running", NOON - 9), ("known", NOON + 60), ("new", NOON + 99))]
    jobs = unexplained(known, make_poll(*again[::-1], listed("older", NOON - 3 * HOUR), at=LATER))
    assert [job.execution_id.strip("-") for job in jobs.due] == ["running", "new"]
    assert [job.execution_id.strip("-") for job in jobs.shown] == ["old", "older"]


def test_a_job_is_not_counted_before_it_is_explained() -> None:
    """Until then it is treated as in progress, and then it counts with its outcome."""
    poll = make_poll(listed("a", NOON + 60, added=5), at=LATER)
    waiting = explain(explain(None, make_poll()), poll)
    assert (dict(waiting.completed), len(waiting.jobs_in_progress())) == ({}, 1)
    counted = explain(waiting, replace(poll, as_of=LATER + 60), *poll.jobs)
    assert (dict(counted.completed), counted.jobs_in_progress()) == ({"SUCCEEDED": 1}, [])
    assert counted.documents["added"] == 5
    assert counted.last_completed() == succeeded(poll.jobs[0])


def test_history_is_shown_at_once_with_the_worst_status() -> None:
    """It changes when it is explained, and is never counted."""
    poll = make_poll(listed("old", NOON - HOUR))
    shown = explain(None, poll)
    assert [job.status for job in shown.jobs_newest_first()] == ["INCOMPLETE"]
    explained = explain(shown, make_poll(at=LATER), *poll.jobs)
    assert [job.status for job in explained.jobs_newest_first()] == ["SUCCEEDED"]
    assert (dict(explained.completed), explained.last_succeeded) == ({}, NOON - HOUR + 60)


@pytest.mark.parametrize("moved", [0.0, 30.0])
def test_a_job_that_is_listed_again_keeps_its_outcome_and_its_end(moved: float) -> None:
    """The update time of an ended job may move. Its documents are those of the listing."""
    job = listed("a", NOON + 60, added=5)
    before = explain(explain(None, make_poll()), make_poll(job, at=LATER), job)
    assert job.ended is not None
    again = structs.replace(job, ended=job.ended + moved, documents=structs.replace(job.documents, added=7))
    poll = make_poll(again, at=LATER + 60)
    assert unexplained(before, poll).due == unexplained(before, poll).shown == ()
    after = explain(before, poll)
    assert (after.last_completed(), after.documents["added"]) == (
        structs.replace(succeeded(job), documents=again.documents),
        7,
    )
    assert dict(after.completed) == {"SUCCEEDED": 1}


def test_a_poll_without_news_changes_nothing() -> None:
    """Nothing is saved or rendered again."""
    job = listed("a", NOON + 60)
    before = explain(explain(None, make_poll()), make_poll(job, at=LATER), job)
    assert explain(before, make_poll(job, at=LATER + 60)) is before


def test_an_outcome_that_aws_refuses_is_not_requested_again() -> None:
    """The job counts with the worst status that is possible, and says why."""
    job = listed("a", NOON + 60)
    watched, poll = explain(None, make_poll()), make_poll(job, at=LATER)
    refused = {job.execution_id: without_outcome(job, "GetIngestionJob: denied")}
    after = fold(watched, with_explanations(watched, poll, unexplained(watched, poll), refused), POLICY)
    assert dict(after.completed) == {"INCOMPLETE": 1}
    assert unexplained(after, poll).due == ()
    last = after.last_completed()
    assert last is not None
    assert last.error_message == "outcome unknown: GetIngestionJob: denied"
