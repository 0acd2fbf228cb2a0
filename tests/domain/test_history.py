"""What counts, and when: every job once, whatever the order, the repetition, the polls and the restarts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.domain.history import CountingPolicy, fold, newly_ended, rebucket
from exporter.domain.model import DOCUMENT_KINDS, TERMINAL, DocumentCounts, SyncJob
from exporter.domain.source_history import PollData, SourceHistory
from exporter.store import codec
from tests.support.builders import HOUR, NOON, POLICY, make_job

if TYPE_CHECKING:
    from collections.abc import Sequence


def read(*jobs: SyncJob, at: float = NOON, vanished: Sequence[str] = ()) -> PollData:
    """Build a reading."""
    return PollData(jobs, at, at, frozenset(vanished))


def polls(*readings: PollData, policy: CountingPolicy = POLICY) -> SourceHistory:
    """Fold readings one after the other."""
    history = None
    for reading in readings:
        history = fold(history, reading, policy)
    assert history is not None
    return history


def test_what_had_ended_before_the_first_look_is_history() -> None:
    """It feeds the gauges and never the counters."""
    done = make_job("old", "SUCCEEDED", started=NOON - HOUR, scanned=10)
    history = polls(read(done), read(done, at=NOON + 60))
    assert history.completed == {}
    assert history.documents.get("scanned", 0) == 0
    assert history.last_succeeded == done.ended
    assert history.last_completed() == done


def test_what_ends_while_watched_is_counted_once() -> None:
    """A job seen running and then ended any number of times adds one, with its duration."""
    running = make_job("new", "SYNCING", started=NOON + 10, lasted=None)
    ended = make_job("new", "FAILED", started=NOON + 10, lasted=100)
    history = polls(read(), read(running, at=NOON + 60), *[read(ended, at=NOON + 200 + n) for n in range(5)])
    assert history.completed == {"FAILED": 1}
    assert history.failures == {("none", ""): 1}
    assert history.durations["FAILED"].counts == (0, 1, 0, 0, 0)
    assert history.durations["FAILED"].sum == 100


def test_a_job_running_at_the_first_look_counts_from_the_figure_first_seen() -> None:
    """Only what it added since counts as documents; its end counts."""
    history = polls(
        read(make_job("a", "SYNCING", started=NOON - HOUR, lasted=None, added=100, failed=2)),
        read(make_job("a", "SYNCING", started=NOON - HOUR, lasted=None, added=130), at=NOON + 60),
        read(make_job("a", "SUCCEEDED", started=NOON - HOUR, lasted=HOUR + 90, added=150, failed=2), at=NOON + 120),
    )
    assert history.documents == {"added": 50, "failed": 0}
    assert history.completed == {"SUCCEEDED": 1}


def test_a_job_that_began_while_watched_counts_from_zero() -> None:
    """Whatever it had when first seen was done while watched."""
    history = polls(read(), read(make_job("a", "SUCCEEDED", started=NOON + 10, added=7, scanned=70), at=NOON + 900))
    assert history.documents == {"added": 7, "scanned": 70}


def test_a_job_that_ended_within_the_first_reading_counts() -> None:
    """One page had it running and a later one ended: it ended while watched."""
    running = make_job("a", "SYNCING", started=NOON - HOUR, lasted=None, added=5)
    ended = make_job("a", "SUCCEEDED", started=NOON - HOUR, lasted=HOUR + 5, added=8)
    for order in ([running, ended], [ended, running]):
        history = polls(read(*order))
        assert history.completed == {"SUCCEEDED": 1}
        assert history.documents == {"added": 3}


def test_two_views_of_what_was_over_make_no_news_of_it() -> None:
    """An answer may list a job in two states at once: its end says that it was over before the first look."""
    done = make_job("a", "SUCCEEDED", started=NOON - HOUR, lasted=60, added=8)
    running = make_job("a", "SYNCING", started=NOON - HOUR, lasted=None, added=5)
    for order in ([running, done], [done, running]):
        history = polls(read(*order), read(*order, at=NOON + 60))
        assert (history.completed, history.documents) == ({}, {})
        history = polls(read(), read(*order, at=NOON + 60))
        assert history.completed == {}


def test_an_end_that_cannot_be_true_does_not_make_a_job_history() -> None:
    """It was seen running and ended in one look, and its end is no later than its start."""
    running = make_job("a", "SYNCING", started=NOON - HOUR, lasted=None)
    ended = make_job("a", "SUCCEEDED", started=NOON - HOUR, lasted=0)
    assert polls(read(running, ended)).completed == {"SUCCEEDED": 1}


def test_the_first_answer_was_made_within_the_second_of_its_date() -> None:
    """The Date header is cut to the second: what ended in that second and was seen ended is history."""
    assert polls(read(make_job(started=NOON - 9.5, lasted=10))).completed == {}


def test_a_job_that_ended_between_the_answers_of_the_first_look_counts() -> None:
    """A page fetched later shows it ended, after the first answer was made; an end after all of them is a mistake."""
    late = make_job("late", started=NOON - HOUR, lasted=HOUR + 5)
    odd = make_job("odd", started=NOON - HOUR, lasted=HOUR + 500)
    history = polls(PollData((late, odd), NOON, NOON + 10))
    assert history.completed == {"SUCCEEDED": 1}


def test_a_success_without_its_end_is_placed_at_its_start() -> None:
    """The start is the latest moment that is certain; no duration is made up."""
    history = polls(read(), read(make_job("a", started=NOON + 5, lasted=None), at=NOON + 60))
    assert history.completed == {"SUCCEEDED": 1}
    assert history.durations == {}
    assert history.last_succeeded == NOON + 5


def test_an_end_time_does_not_end_a_job() -> None:
    """SYNCING_INDEXING with an endTime is in progress."""
    history = polls(read(), read(make_job("a", "SYNCING_INDEXING", started=NOON + 5), at=NOON + 900))
    assert history.completed == {}
    assert [job.status for job in history.jobs_in_progress()] == ["SYNCING_INDEXING"]


def test_an_unknown_status_is_kept_under_its_own_name_and_is_not_an_end() -> None:
    """AWS adds statuses when it likes."""
    history = polls(read(), read(make_job("a", "PAUSED", started=NOON + 5), at=NOON + 900))
    assert history.completed == {}
    assert history.jobs_newest_first()[0].status == "PAUSED"


def test_a_stale_answer_does_not_bring_an_ended_job_back() -> None:
    """What has ended stays ended."""
    ended = make_job("a", "SUCCEEDED", started=NOON + 5, lasted=60)
    stale = make_job("a", "SYNCING", started=NOON + 5, lasted=None)
    history = polls(read(), read(ended, at=NOON + 100), read(stale, at=NOON + 101), read(ended, at=NOON + 102))
    assert history.completed == {"SUCCEEDED": 1}
    assert history.jobs_in_progress() == []


def test_an_unknown_status_does_not_make_news_of_what_was_over() -> None:
    """History that is called something else for a while is history again afterwards."""
    done = make_job("a", started=NOON - HOUR, added=3)
    history = polls(read(replace(done, status="PAUSED")), read(done, at=NOON + 60))
    assert (history.completed, history.documents) == ({}, {"added": 0})


def test_an_unknown_status_does_not_make_news_of_what_was_forgotten() -> None:
    """A full reread may come upon jobs that were counted long ago."""
    days = [make_job(f"d{n}", started=NOON + n * 24 * HOUR, lasted=60, added=3) for n in range(1, 30)]
    history = polls(read(), *[read(job, at=job.started + HOUR) for job in days])
    assert days[0].execution_id not in history.jobs
    again = read(replace(days[0], status="PAUSED"), at=NOON + 31 * 24 * HOUR)
    history = fold(fold(history, again, POLICY), replace(again, jobs=(days[0],)), POLICY)
    assert (history.completed, history.documents) == ({"SUCCEEDED": 29}, {"added": 87})


@pytest.mark.parametrize("kind", DOCUMENT_KINDS)
def test_a_figure_that_falls_or_is_missing_changes_nothing(kind: str) -> None:
    """Only a rise over the highest seen counts."""
    figures = [10, 4, None, 10, 12]
    views = [make_job("a", "SYNCING", started=NOON + 1, lasted=None) for _ in figures]
    views = [
        replace(view, documents=DocumentCounts(**{kind: figure})) for view, figure in zip(views, figures, strict=True)
    ]
    history = polls(read(), *[read(view, at=NOON + 10 + n) for n, view in enumerate(views)])
    assert history.documents == {kind: 12}


def test_failures_are_labelled_from_closed_sets() -> None:
    """Unknown API codes become other; beyond twenty connector codes of a source so do further ones."""
    jobs = [
        replace(make_job(f"j{n}", "FAILED", started=NOON + n), error_code="Odd", connector_error=f"SPE-{5000 + n}")
        for n in range(25)
    ]
    history = polls(read(), *[read(job, at=NOON + HOUR + n) for n, job in enumerate(jobs)])
    assert len(history.failures) == 21
    assert history.failures["other", "other"] == 5
    again = replace(jobs[0], execution_id="again".ljust(36, "-"))
    history = fold(history, read(again, at=NOON + 2 * HOUR), POLICY)
    assert history.failures["other", "SPE-5000"] == 2


def test_the_streak_outlives_what_is_forgotten() -> None:
    """A source that failed 300 times in a row says 300, though only the latest are remembered."""
    history = polls(read(at=NOON))
    for n in range(300):
        job = make_job(f"f{n}", "FAILED", started=NOON + n * HOUR, lasted=60)
        history = fold(history, read(job, at=NOON + n * HOUR + 120), POLICY)
    assert history.consecutive_failures() == 300
    assert history.completed == {"FAILED": 300}
    assert len(history.jobs) < 30
    job = make_job("good", "ABORTED", started=NOON + 300 * HOUR, lasted=60)
    assert fold(history, read(job, at=NOON + 301 * HOUR), POLICY).consecutive_failures() == 0


def test_the_streak_has_each_failure_once_however_often_it_is_reread() -> None:
    """Where nothing but failures is found, a full reread goes back beyond what is remembered."""
    jobs = [make_job(f"f{n}", "FAILED", started=NOON + n * HOUR, lasted=60) for n in range(1, 101)]
    history = polls(read(at=NOON), *[read(job, at=job.started + 120) for job in jobs])
    assert jobs[0].execution_id not in history.jobs
    for n in range(1, 4):
        history = fold(history, read(*jobs, at=NOON + (100 + n) * HOUR), POLICY)
        assert history.consecutive_failures() == 100
    assert history.completed == {"FAILED": 100}


def test_a_forgotten_job_that_comes_back_is_not_counted_again() -> None:
    """A window made wider, or a look by status, brings up what was counted long ago."""
    history = polls(read(at=NOON))
    jobs = [make_job(f"f{n}", "SUCCEEDED", started=NOON + n * HOUR, lasted=60, added=1) for n in range(100)]
    for n, job in enumerate(jobs):
        history = fold(history, read(job, at=NOON + n * HOUR + 120), POLICY)
    assert jobs[3].execution_id not in history.jobs
    history = fold(history, read(*jobs, at=NOON + 101 * HOUR), POLICY)
    assert history.completed == {"SUCCEEDED": 100}
    assert history.documents == {"added": 100}


@pytest.mark.parametrize("status", ["SYNCING", "SYNCING_INDEXING", "STOPPING"])
def test_a_forgotten_job_that_seems_to_run_again_is_not_counted_again(status: str) -> None:
    """An answer as old as that, or one in two states: what was forgotten had ended."""
    jobs = [make_job(f"d{n}", started=NOON + n * 24 * HOUR, lasted=60, added=3) for n in range(1, 30)]
    history = polls(read(), *[read(job, at=job.started + HOUR) for job in jobs])
    assert jobs[0].execution_id not in history.jobs
    again = make_job("d1", status, started=jobs[0].started, lasted=None, added=1)
    for views in ((again,), (again, jobs[0]), (jobs[0],)):
        history = fold(history, read(*views, at=history.as_of + HOUR), POLICY)
    assert (history.completed, history.documents) == ({"SUCCEEDED": 29}, {"added": 87})


def test_a_job_that_went_on_for_days_is_remembered_for_a_day_after_its_end() -> None:
    """Others came and went meanwhile, and an answer older than its end must not count it twice."""
    running = make_job("long", "SYNCING", started=NOON + 1, lasted=None, added=4)
    others = [make_job(f"o{n}", started=NOON + n * HOUR, lasted=60) for n in range(1, 72)]
    history = polls(read(), read(running, at=NOON + 60), *[read(job, at=job.started + 120) for job in others])
    ended = make_job("long", "SUCCEEDED", started=NOON + 1, lasted=72 * HOUR, added=5)
    history = fold(history, read(ended, at=NOON + 73 * HOUR), POLICY)
    history = fold(history, read(running, at=NOON + 73 * HOUR + 60), POLICY)
    history = fold(history, read(ended, at=NOON + 90 * HOUR), POLICY)
    assert history.completed == {"SUCCEEDED": 72}
    assert ended.execution_id in history.jobs
    later = [make_job(f"l{n}", started=NOON + (88 + n) * HOUR, lasted=60) for n in range(10)]
    assert ended.execution_id not in fold(history, read(*later, at=NOON + 99 * HOUR), POLICY).jobs


def test_an_end_in_the_far_future_keeps_nothing_for_good() -> None:
    """Memory follows what is watched, whatever the times say."""
    jobs = [make_job(f"f{n}", started=NOON + n * HOUR, lasted=9000 * HOUR) for n in range(1, 60)]
    history = polls(read(), *[read(job, at=job.started + 60) for job in jobs])
    assert len(history.jobs) < 30


def test_a_job_that_was_not_listed_for_days_counts_when_it_comes_back() -> None:
    """It had not ended when it was last seen, so its end is news."""
    running = make_job("a", "SYNCING", started=NOON + 1, lasted=None, added=5)
    history = polls(read(), read(running, at=NOON + 60), read(at=NOON + 120, vanished=[running.execution_id]))
    for n in range(1, 96):
        history = fold(history, read(make_job(f"o{n}", started=NOON + n * HOUR), at=NOON + (n + 1) * HOUR), POLICY)
    ended = make_job("a", "FAILED", started=NOON + 1, lasted=150, added=6)
    history = fold(history, read(ended, at=NOON + 97 * HOUR), POLICY)
    assert history.completed == {"SUCCEEDED": 95, "FAILED": 1}
    assert history.documents == {"added": 6}


def test_a_job_that_vanished_no_longer_runs_and_counts_if_it_comes_back() -> None:
    """Its record is kept for a while, so that its documents are not counted twice."""
    running = make_job("a", "SYNCING", started=NOON + 1, lasted=None, added=5)
    history = polls(
        read(),
        read(running, at=NOON + 60),
        read(at=NOON + 120, vanished=[running.execution_id]),
    )
    assert history.jobs_in_progress() == []
    ended = make_job("a", "SUCCEEDED", started=NOON + 1, lasted=150, added=6)
    history = fold(history, read(ended, at=NOON + 180), POLICY)
    assert history.completed == {"SUCCEEDED": 1}
    assert history.documents == {"added": 6}


def test_a_quiet_poll_gives_back_the_same_history() -> None:
    """Nobody downstream has to do anything."""
    job = make_job(started=NOON - HOUR)
    history = polls(read(job))
    assert fold(history, read(job, at=NOON + 300), POLICY) is history


def test_new_buckets_begin_anew() -> None:
    """Counts of other buckets cannot be moved honestly."""
    history = polls(read(), read(make_job(started=NOON + 1), at=NOON + HOUR))
    assert rebucket(history, POLICY) is history
    changed = rebucket(history, replace(POLICY, duration_buckets=(1.0, 2.0)))
    assert changed.durations == {}
    assert changed.completed == {"SUCCEEDED": 1}


def test_newly_ended_names_what_was_counted_and_not_the_history() -> None:
    """The log has one line for each job that ended while watched."""
    before = polls(read(make_job("old", started=NOON - HOUR)))
    after = fold(before, read(make_job("new", started=NOON + 1), at=NOON + HOUR), POLICY)
    assert [job.execution_id.rstrip("-") for job in newly_ended(before, after)] == ["new"]
    assert newly_ended(after, after) == []


@dataclass(frozen=True)
class Life:
    """A job's life as it really was: figures grow evenly from start to end."""

    name: str
    started: int
    lasts: int
    outcome: str
    figures: tuple[int, ...]

    def seen_at(self, now: float) -> SyncJob | None:
        """Give what AWS says of it at a time."""
        if now < self.started:
            return None
        share = min(1.0, (now - self.started) / self.lasts)
        ended = share >= 1.0
        counts = DocumentCounts(*(int(figure * share) for figure in self.figures))
        status = self.outcome if ended else "SYNCING"
        end = float(self.started + self.lasts) if ended else None
        return SyncJob(self.name.ljust(36, "-"), status, float(self.started), end, counts)


BEGAN = int(NOON)
lives = st.lists(
    st.builds(
        lambda started, lasts, outcome, figures: (started, lasts, outcome, figures),
        # No life begins or ends within the second of the first look: there the Date header cannot tell.
        st.integers(-600, 1000).map(lambda n: BEGAN + n * 60 + 30),
        st.integers(1, 900).map(lambda n: n * 60),
        st.sampled_from(sorted(TERMINAL)),
        st.tuples(*[st.integers(0, 1000)] * len(DOCUMENT_KINDS)),
    ),
    max_size=12,
).map(lambda raw: [Life(f"job{n}", *life) for n, life in enumerate(raw)])


def truth(jobs: list[Life], until: float) -> tuple[dict[str, int], dict[str, int]]:
    """Count what an honest observer saw between the first look and a time."""
    completed: dict[str, int] = {}
    documents = dict.fromkeys(DOCUMENT_KINDS, 0)
    for life in jobs:
        first, last = life.seen_at(NOON), life.seen_at(until)
        if last is None:
            continue
        if last.is_terminal and not (first and first.is_terminal):
            completed[last.status] = completed.get(last.status, 0) + 1
        for kind, figure in last.documents.items():
            documents[kind] += (figure or 0) - ((getattr(first.documents, kind) or 0) if first else 0)
    return completed, documents


@given(data=st.data(), jobs=lives)
@settings(max_examples=300)
def test_totals_are_the_truth_whatever_happens_in_between(data: st.DataObject, jobs: list[Life]) -> None:
    """Any order, any repetition, any split into polls, any shift of pages and any restart give the true totals."""
    moments = sorted(data.draw(st.lists(st.integers(1, 1400), max_size=8, unique=True)))
    history = None
    for moment in [0, *moments]:
        now = NOON + moment * 60
        views = [view for life in jobs if (view := life.seen_at(now))]
        # While pages are read one after the other, later ones show a later world, and jobs slip from page to page.
        later = [view for life in jobs if (view := life.seen_at(now + 20)) and moment]
        shown = views + data.draw(st.lists(st.sampled_from(views + later), max_size=5) if views else st.just([]))
        before = history
        history = fold(history, PollData(tuple(data.draw(st.permutations(shown))), now, now), POLICY)
        if before:
            assert all(history.completed.get(status, 0) >= count for status, count in before.completed.items())
            assert all(history.documents.get(kind, 0) >= count for kind, count in before.documents.items())
        if data.draw(st.booleans()):
            jobs_written = {key: codec.load_job(codec.dump_job(known)) for key, known in history.jobs.items()}
            history = codec.load_history(codec.dump_totals(history), jobs_written)
    assert history is not None
    end = NOON + 5000 * 60
    history = fold(history, PollData(tuple(view for life in jobs if (view := life.seen_at(end))), end, end), POLICY)
    completed, documents = truth(jobs, end)
    assert dict(history.completed) == completed
    assert {kind: history.documents.get(kind, 0) for kind in DOCUMENT_KINDS} == documents
