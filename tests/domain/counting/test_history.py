"""The counting rules: every job counts once, for any order, repetition, number of polls, and restarts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from exporter.domain.counting.history import fold, newly_ended, rebucket
from exporter.domain.counting.source_history import PollData
from exporter.domain.counting.tracked_job import CountState
from exporter.domain.model import DOCUMENT_KINDS, TERMINAL, DocumentCounts, SyncJob
from exporter.domain.units import HOUR
from exporter.store import codec
from tests.support.builders import NOON, POLICY, fold_polls, make_job, make_poll

# Jobs that ended before their source was watched, and the initial poll.


def test_a_job_that_ended_before_the_initial_poll_is_never_counted() -> None:
    """It is used for gauges only."""
    done = make_job("old", "SUCCEEDED", started=NOON - HOUR, scanned=10)
    history = fold_polls(make_poll(done), make_poll(done, at=NOON + 60))
    assert history.completed == {}
    assert history.documents.get("scanned", 0) == 0
    assert history.last_succeeded == done.ended
    assert history.last_completed() == done
    assert history.jobs[done.execution_id].count_state is CountState.PRE_EXISTING


def test_a_job_that_ends_while_watched_is_counted_once() -> None:
    """Later polls that list it again change nothing."""
    running = make_job("new", "SYNCING", started=NOON + 10, lasted=None)
    ended = make_job("new", "FAILED", started=NOON + 10, lasted=100)
    later = [make_poll(ended, at=NOON + 200 + n) for n in range(5)]
    history = fold_polls(make_poll(), make_poll(running, at=NOON + 60), *later)
    assert history.completed == {"FAILED": 1}
    assert history.failures == {("none", ""): 1}
    assert history.durations["FAILED"].counts == (0, 1, 0, 0, 0)
    assert history.durations["FAILED"].sum == 100
    exemplar = history.durations["FAILED"].exemplars[1]
    assert exemplar
    assert (exemplar.execution_id, exemplar.seconds) == (ended.execution_id, 100)


def test_a_job_that_is_listed_as_running_and_as_ended_in_the_initial_poll_is_counted() -> None:
    """It ended between the two pages, so it ended while its source was watched."""
    running = make_job("a", "SYNCING", started=NOON - HOUR, lasted=None, added=5)
    ended = make_job("a", "SUCCEEDED", started=NOON - HOUR, lasted=HOUR + 5, added=8)
    for order in ([running, ended], [ended, running]):
        history = fold_polls(make_poll(*order))
        assert history.completed == {"SUCCEEDED": 1}
        assert history.documents == {"added": 3}


def test_a_stale_page_does_not_make_an_old_job_count() -> None:
    """A job with two statuses in one poll is not counted if its end is before the initial poll."""
    done = make_job("a", "SUCCEEDED", started=NOON - HOUR, lasted=60, added=8)
    running = make_job("a", "SYNCING", started=NOON - HOUR, lasted=None, added=5)
    for order in ([running, done], [done, running]):
        history = fold_polls(make_poll(*order), make_poll(*order, at=NOON + 60))
        assert (history.completed, history.documents) == ({}, {})
        history = fold_polls(make_poll(), make_poll(*order, at=NOON + 60))
        assert history.completed == {}


def test_an_impossible_end_does_not_prevent_counting() -> None:
    """The job was seen running and ended in the initial poll, and its end is not later than its start."""
    running = make_job("a", "SYNCING", started=NOON - HOUR, lasted=None)
    ended = make_job("a", "SUCCEEDED", started=NOON - HOUR, lasted=0)
    assert fold_polls(make_poll(running, ended)).completed == {"SUCCEEDED": 1}


def test_an_end_within_the_second_of_the_initial_poll_is_before_it() -> None:
    """The Date header is truncated to seconds, so the response may be up to one second later."""
    assert fold_polls(make_poll(make_job(started=NOON - 9.5, lasted=10))).completed == {}


def test_a_job_that_ends_between_responses_of_the_initial_poll_is_counted() -> None:
    """An end after the last response is wrong, and such a job is not counted."""
    late = make_job("late", started=NOON - HOUR, lasted=HOUR + 5)
    impossible = make_job("impossible", started=NOON - HOUR, lasted=HOUR + 500)
    history = fold_polls(PollData((late, impossible), NOON, NOON + 10))
    assert history.completed == {"SUCCEEDED": 1}
    assert history.jobs[late.execution_id].count_state is CountState.COUNTED


# Documents.


def test_a_job_that_runs_in_the_initial_poll_counts_from_its_first_count() -> None:
    """Documents that were processed before the source was watched are not counted."""
    history = fold_polls(
        make_poll(make_job("a", "SYNCING", started=NOON - HOUR, lasted=None, added=100, failed=2)),
        make_poll(make_job("a", "SYNCING", started=NOON - HOUR, lasted=None, added=130), at=NOON + 60),
        make_poll(make_job("a", started=NOON - HOUR, lasted=HOUR + 90, added=150, failed=2), at=NOON + 120),
    )
    assert history.documents == {"added": 50, "failed": 0}
    assert history.completed == {"SUCCEEDED": 1}


def test_a_job_that_starts_while_watched_counts_from_zero() -> None:
    """All its documents were processed while the source was watched."""
    job = make_job("a", "SUCCEEDED", started=NOON + 10, added=7, scanned=70)
    history = fold_polls(make_poll(), make_poll(job, at=NOON + 900))
    assert history.documents == {"added": 7, "scanned": 70}


@pytest.mark.parametrize("kind", DOCUMENT_KINDS)
def test_a_count_that_decreases_or_is_missing_changes_nothing(kind: str) -> None:
    """Only an increase above the highest count adds to the total."""
    counts = [10, 4, None, 10, 12]
    running = make_job("a", "SYNCING", started=NOON + 1, lasted=None)
    jobs = [structs.replace(running, documents=DocumentCounts(**{kind: count})) for count in counts]
    history = fold_polls(make_poll(), *[make_poll(job, at=NOON + 10 + n) for n, job in enumerate(jobs)])
    assert history.documents == {kind: 12}


# Statuses.


def test_a_success_without_an_end_is_dated_by_its_start() -> None:
    """The start is the latest time that is certain, and no duration is observed."""
    history = fold_polls(make_poll(), make_poll(make_job("a", started=NOON + 5, lasted=None), at=NOON + 60))
    assert history.completed == {"SUCCEEDED": 1}
    assert history.durations == {}
    assert history.last_succeeded == NOON + 5


def test_an_end_time_does_not_end_a_job() -> None:
    """A job that is SYNCING_INDEXING with an endTime is in progress."""
    job = make_job("a", "SYNCING_INDEXING", started=NOON + 5)
    history = fold_polls(make_poll(), make_poll(job, at=NOON + 900))
    assert history.completed == {}
    assert [job.status for job in history.jobs_in_progress()] == ["SYNCING_INDEXING"]


def test_an_undocumented_status_is_kept_and_does_not_end_a_job() -> None:
    """AWS may add statuses at any time."""
    history = fold_polls(make_poll(), make_poll(make_job("a", "PAUSED", started=NOON + 5), at=NOON + 900))
    assert history.completed == {}
    assert history.jobs_newest_first()[0].status == "PAUSED"


def test_an_undocumented_status_does_not_make_an_old_job_count() -> None:
    """A job that ended before the initial poll is not counted after its status has been undocumented."""
    done = make_job("a", started=NOON - HOUR, added=3)
    history = fold_polls(make_poll(structs.replace(done, status="PAUSED")), make_poll(done, at=NOON + 60))
    assert (history.completed, history.documents) == ({}, {"added": 0})


def test_a_stale_response_does_not_restart_a_job() -> None:
    """A job that has ended stays ended, and is not counted again."""
    ended = make_job("a", "SUCCEEDED", started=NOON + 5, lasted=60)
    stale = make_job("a", "SYNCING", started=NOON + 5, lasted=None)
    polls = [make_poll(job, at=NOON + 100 + n) for n, job in enumerate([ended, stale, ended])]
    history = fold_polls(make_poll(), *polls)
    assert history.completed == {"SUCCEEDED": 1}
    assert history.jobs_in_progress() == []


def test_failure_labels_have_a_limited_number_of_values() -> None:
    """Undocumented error codes become `other`, and so do connector codes after the first twenty of a source."""
    jobs = [
        structs.replace(
            make_job(f"j{n}", "FAILED", started=NOON + n), error_code="Odd", connector_error=f"SPE-{5000 + n}"
        )
        for n in range(25)
    ]
    history = fold_polls(make_poll(), *[make_poll(job, at=NOON + HOUR + n) for n, job in enumerate(jobs)])
    assert len(history.failures) == 21
    assert history.failures["other", "other"] == 5
    again = structs.replace(jobs[0], execution_id="again".ljust(36, "-"))
    history = fold(history, make_poll(again, at=NOON + 2 * HOUR), POLICY)
    assert history.failures["other", "SPE-5000"] == 2


# Jobs that vanish from the listing.


def test_a_vanished_job_is_not_in_progress_and_counts_if_it_is_listed_again() -> None:
    """It stays tracked, so its documents are not counted twice."""
    running = make_job("a", "SYNCING", started=NOON + 1, lasted=None, added=5)
    history = fold_polls(
        make_poll(),
        make_poll(running, at=NOON + 60),
        make_poll(at=NOON + 120, vanished=[running.execution_id]),
    )
    assert history.jobs_in_progress() == []
    assert history.unfinished_jobs() == [running]
    ended = make_job("a", "SUCCEEDED", started=NOON + 1, lasted=150, added=6)
    history = fold(history, make_poll(ended, at=NOON + 180), POLICY)
    assert history.completed == {"SUCCEEDED": 1}
    assert history.documents == {"added": 6}


# Results.


def test_a_poll_without_news_returns_the_same_history() -> None:
    """So nothing has to be saved or rendered, except once an hour."""
    job = make_job(started=NOON - HOUR)
    history = fold_polls(make_poll(job))
    assert fold(history, make_poll(job, at=NOON + 300), POLICY) is history
    assert fold(history, make_poll(job, at=NOON + HOUR - 1), POLICY) is history
    assert fold(history, make_poll(job, at=NOON + HOUR), POLICY) == replace(history, as_of=NOON + HOUR)


def test_new_buckets_reset_the_histograms() -> None:
    """Observations cannot be moved to other buckets. The counters are not affected."""
    history = fold_polls(make_poll(), make_poll(make_job(started=NOON + 1), at=NOON + HOUR))
    assert rebucket(history, POLICY) is history
    changed = rebucket(history, replace(POLICY, duration_buckets=(1.0, 2.0)))
    assert changed.durations == {}
    assert changed.completed == {"SUCCEEDED": 1}


def test_newly_ended_jobs_are_those_that_a_poll_counted() -> None:
    """The log has one line for each job that ended while its source was watched."""
    before = fold_polls(make_poll(make_job("old", started=NOON - HOUR)))
    after = fold(before, make_poll(make_job("new", started=NOON + 1), at=NOON + HOUR), POLICY)
    assert [job.execution_id.rstrip("-") for job in newly_ended(before, after)] == ["new"]
    assert newly_ended(after, after) == []


# All rules together.


@dataclass(frozen=True)
class ActualJob:
    """A job as it really was. Its counts grow evenly from its start to its end."""

    name: str
    started: int
    lasts: int
    final_status: str
    final_counts: tuple[int, ...]

    def seen_at(self, now: float) -> SyncJob | None:
        """Return what AWS reports of the job at a time; None before its start."""
        if now < self.started:
            return None
        share = min(1.0, (now - self.started) / self.lasts)
        ended = share >= 1.0
        counts = DocumentCounts(*(int(count * share) for count in self.final_counts))
        status = self.final_status if ended else "SYNCING"
        end = float(self.started + self.lasts) if ended else None
        return SyncJob(self.name.ljust(36, "-"), status, float(self.started), end, counts)


actual_jobs = st.lists(
    st.tuples(
        # No job starts or ends within the second of the initial poll, which the Date header does not divide.
        st.integers(-600, 1000).map(lambda n: int(NOON) + n * 60 + 30),
        st.integers(1, 900).map(lambda n: n * 60),
        st.sampled_from(sorted(TERMINAL)),
        st.tuples(*[st.integers(0, 1000)] * len(DOCUMENT_KINDS)),
    ),
    max_size=12,
).map(lambda raw: [ActualJob(f"job{n}", *members) for n, members in enumerate(raw)])


def expected_totals(jobs: list[ActualJob], until: float) -> tuple[dict[str, int], dict[str, int]]:
    """Return the completed jobs and the documents between the initial poll and a time."""
    completed: dict[str, int] = {}
    documents = dict.fromkeys(DOCUMENT_KINDS, 0)
    for job in jobs:
        first, last = job.seen_at(NOON), job.seen_at(until)
        if last is None:
            continue
        if last.is_terminal and not (first and first.is_terminal):
            completed[last.status] = completed.get(last.status, 0) + 1
        for kind, count in last.documents.items():
            documents[kind] += (count or 0) - ((getattr(first.documents, kind) or 0) if first else 0)
    return completed, documents


@given(data=st.data(), jobs=actual_jobs)
@settings(max_examples=200)
def test_totals_are_exact_for_any_sequence_of_polls(data: st.DataObject, jobs: list[ActualJob]) -> None:
    """Order, repetition, the times of polls, moving pages and restarts do not change the totals."""
    minutes = sorted(data.draw(st.lists(st.integers(1, 1400), max_size=8, unique=True)))
    history = None
    for minute in [0, *minutes]:
        now = NOON + minute * 60
        entries = [entry for job in jobs if (entry := job.seen_at(now))]
        # Later pages of a poll are newer, and jobs move from page to page meanwhile.
        newer = [entry for job in jobs if (entry := job.seen_at(now + 20)) and minute]
        repeated = data.draw(st.lists(st.sampled_from(entries + newer), max_size=5) if entries else st.just([]))
        before = history
        listed = tuple(data.draw(st.permutations(entries + repeated)))
        history = fold(history, PollData(listed, now, now), POLICY)
        if before:
            assert all(history.completed.get(status, 0) >= count for status, count in before.completed.items())
            assert all(history.documents.get(kind, 0) >= count for kind, count in before.documents.items())
        if data.draw(st.booleans()):  # a restart
            saved = {key: codec.load_job(codec.dump_job(tracked)) for key, tracked in history.jobs.items()}
            history = codec.load_history(codec.dump_totals(history), saved)
    assert history is not None
    end = NOON + 5000 * 60
    final = tuple(entry for job in jobs if (entry := job.seen_at(end)))
    history = fold(history, PollData(final, end, end), POLICY)
    completed, documents = expected_totals(jobs, end)
    assert dict(history.completed) == completed
    assert {kind: history.documents.get(kind, 0) for kind in DOCUMENT_KINDS} == documents
