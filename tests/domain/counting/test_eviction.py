"""Eviction: how long jobs are kept, and that an evicted job changes nothing if it is listed again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from exporter.domain.counting.eviction import UNFINISHED_RETENTION
from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData, SourceHistory
from exporter.domain.counting.tracked_job import CountState
from exporter.domain.units import DAY, HOUR
from tests.support.builders import NOON, POLICY, fold_polls, make_job, make_poll

DAILY = [make_job(f"d{n}", started=NOON + n * DAY, lasted=60, added=3) for n in range(1, 30)]


def after_daily_jobs() -> SourceHistory:
    """Build a history of 29 daily jobs; the first of them was evicted."""
    history = fold_polls(make_poll(), *[make_poll(job, at=job.started + HOUR) for job in DAILY])
    assert DAILY[0].execution_id not in history.jobs
    return history


def test_the_failure_streak_includes_evicted_jobs() -> None:
    """Of 300 consecutive failures only the latest are kept, and the streak is 300."""
    history = fold_polls(make_poll(at=NOON))
    for n in range(300):
        job = make_job(f"f{n}", "FAILED", started=NOON + n * HOUR, lasted=60)
        history = fold(history, make_poll(job, at=NOON + n * HOUR + 120), POLICY)
    assert history.consecutive_failures() == 300
    assert history.completed == {"FAILED": 300}
    assert len(history.jobs) < 30
    job = make_job("ended", "SUCCEEDED", started=NOON + 300 * HOUR, lasted=60)
    assert fold(history, make_poll(job, at=NOON + 301 * HOUR), POLICY).consecutive_failures() == 0


def test_the_streaks_of_evicted_jobs_count_what_their_rules_count() -> None:
    """Of 100 jobs, alternately FAILED and ABORTED, 50 failed, and none indexed content."""
    history = fold_polls(make_poll(at=NOON))
    for n in range(100):
        job = make_job(f"j{n}", ("FAILED", "ABORTED")[n % 2], started=NOON + n * HOUR, lasted=60)
        history = fold(history, make_poll(job, at=NOON + n * HOUR + 120), POLICY)
    assert len(history.jobs) < 30
    assert (history.consecutive_failures(), history.consecutive_without_content()) == (50, 100)
    job = make_job("ended", "INCOMPLETE", started=NOON + 100 * HOUR, lasted=60, scanned=9, failed=9)
    history = fold(history, make_poll(job, at=NOON + 101 * HOUR), POLICY)
    assert (history.consecutive_failures(), history.consecutive_without_content()) == (0, 101)
    job = make_job("content", "INCOMPLETE", started=NOON + 101 * HOUR, lasted=60, scanned=9, failed=8)
    history = fold(history, make_poll(job, at=NOON + 102 * HOUR), POLICY)
    assert (history.consecutive_failures(), history.consecutive_without_content()) == (0, 0)


def test_a_long_failed_job_stays_in_the_streak_beside_short_ones() -> None:
    """It ended after the successes that started later, and which are kept because they are the latest jobs."""
    long = make_job("long", "FAILED", started=NOON + HOUR, lasted=7 * HOUR)
    short = [make_job(f"s{n}", started=NOON + 2 * HOUR + n * 600, lasted=60) for n in range(20)]
    history = fold_polls(make_poll(at=NOON), make_poll(long, *short, at=NOON + 9 * HOUR))
    assert history.consecutive_failures() == 1
    history = fold(history, make_poll(short[-1], at=NOON + 9 * DAY), POLICY)
    assert len(history.jobs) < len(short)
    later = make_job("later", "FAILED", started=NOON + 9 * DAY, lasted=60)
    assert fold(history, make_poll(later, at=NOON + 9 * DAY + 120), POLICY).consecutive_failures() == 2


def test_evicted_failures_that_are_listed_again_count_once_in_the_streak() -> None:
    """A full reread that searches for a success reads back beyond the kept jobs."""
    jobs = [make_job(f"f{n}", "FAILED", started=NOON + n * HOUR, lasted=60) for n in range(1, 101)]
    history = fold_polls(make_poll(at=NOON), *[make_poll(job, at=job.started + 120) for job in jobs])
    assert jobs[0].execution_id not in history.jobs
    for n in range(1, 4):
        history = fold(history, make_poll(*jobs, at=NOON + (100 + n) * HOUR), POLICY)
        assert history.consecutive_failures() == 100
    assert history.completed == {"FAILED": 100}


def test_an_evicted_job_is_not_counted_again() -> None:
    """A wider window, or a listing by status, contains jobs that were counted long ago."""
    history = after_daily_jobs()
    history = fold(history, make_poll(*DAILY, at=NOON + 31 * DAY), POLICY)
    assert (history.completed, history.documents) == ({"SUCCEEDED": 29}, {"added": 87})
    assert history.evicted_through is not None


def test_an_evicted_job_with_an_undocumented_status_is_not_counted_again() -> None:
    """It is in the state EVICTED as soon as it is listed again."""
    history = after_daily_jobs()
    again = make_poll(structs.replace(DAILY[0], status="PAUSED"), at=DAILY[0].started + 6 * DAY)
    history = fold(history, again, POLICY)
    assert history.jobs[DAILY[0].execution_id].count_state is CountState.EVICTED
    history = fold(history, replace(again, jobs=(DAILY[0],)), POLICY)
    assert (history.completed, history.documents) == ({"SUCCEEDED": 29}, {"added": 87})


@pytest.mark.parametrize("status", ["SYNCING", "SYNCING_INDEXING", "STOPPING"])
def test_an_evicted_job_in_a_stale_response_is_not_counted_again(status: str) -> None:
    """An evicted job had ended, so a response in which it is in progress is stale."""
    history = after_daily_jobs()
    stale = make_job("d1", status, started=DAILY[0].started, lasted=None, added=1)
    for entries in ((stale,), (stale, DAILY[0]), (DAILY[0],)):
        history = fold(history, make_poll(*entries, at=history.as_of + HOUR), POLICY)
    assert (history.completed, history.documents) == ({"SUCCEEDED": 29}, {"added": 87})


def test_a_long_job_is_kept_for_a_day_after_its_end() -> None:
    """Many later jobs ended meanwhile, and a stale response does not count it twice."""
    running = make_job("long", "SYNCING", started=NOON + 1, lasted=None, added=4)
    others = [make_job(f"o{n}", started=NOON + n * HOUR, lasted=60) for n in range(1, 72)]
    polls = [make_poll(job, at=job.started + 120) for job in others]
    history = fold_polls(make_poll(), make_poll(running, at=NOON + 60), *polls)
    ended = make_job("long", "SUCCEEDED", started=NOON + 1, lasted=72 * HOUR, added=5)
    history = fold(history, make_poll(ended, at=NOON + 73 * HOUR), POLICY)
    history = fold(history, make_poll(running, at=NOON + 73 * HOUR + 60), POLICY)
    history = fold(history, make_poll(ended, at=NOON + 90 * HOUR), POLICY)
    assert history.completed == {"SUCCEEDED": 72}
    assert ended.execution_id in history.jobs
    later = [make_job(f"l{n}", started=NOON + (88 + n) * HOUR, lasted=60) for n in range(10)]
    history = fold(history, make_poll(*later, at=NOON + 99 * HOUR), POLICY)
    assert ended.execution_id not in history.jobs


def test_a_wider_window_keeps_jobs_for_longer() -> None:
    """A job is kept for the whole window in which it is counted by status."""
    week = replace(POLICY, window=7 * DAY)
    hourly = [make_job(f"h{n}", started=NOON + n * HOUR, lasted=60) for n in range(1, 100)]
    history = fold_polls(make_poll(), *[make_poll(job, at=job.started + 120) for job in hourly], policy=week)
    assert len(history.jobs) == 99


def test_an_end_in_the_future_does_not_keep_a_job() -> None:
    """The size of the history does not depend on wrong times."""
    jobs = [make_job(f"f{n}", started=NOON + n * HOUR, lasted=9000 * HOUR) for n in range(1, 60)]
    history = fold_polls(make_poll(), *[make_poll(job, at=job.started + 60) for job in jobs])
    assert len(history.jobs) < 30


def test_a_job_that_was_missing_for_days_is_counted_when_it_is_listed_again() -> None:
    """It had not ended when it vanished, and is kept for a week after that."""
    running = make_job("a", "SYNCING", started=NOON + 1, lasted=None, added=5)
    vanished = make_poll(at=NOON + 120, vanished=[running.execution_id])
    history = fold_polls(make_poll(), make_poll(running, at=NOON + 60), vanished)
    for n in range(1, 96):
        history = fold(history, make_poll(make_job(f"o{n}", started=NOON + n * HOUR), at=NOON + (n + 1) * HOUR), POLICY)
    ended = make_job("a", "FAILED", started=NOON + 1, lasted=150, added=6)
    history = fold(history, make_poll(ended, at=NOON + 97 * HOUR), POLICY)
    assert history.completed == {"SUCCEEDED": 95, "FAILED": 1}
    assert history.documents == {"added": 6}


def test_a_job_that_was_missing_for_more_than_a_week_is_evicted() -> None:
    """If it is listed again later, it is not counted."""
    running = make_job("a", "SYNCING", started=NOON + 1, lasted=None)
    vanished = make_poll(at=NOON + 120, vanished=[running.execution_id])
    late = NOON + 120 + UNFINISHED_RETENTION + DAY
    newer = tuple(make_job(f"n{n}", started=late - DAY + n, lasted=1) for n in range(12))
    history = fold_polls(make_poll(), make_poll(running, at=NOON + 60), vanished, PollData(newer, late, late))
    assert running.execution_id not in history.jobs
    ended = make_job("a", "FAILED", started=NOON + 1, lasted=150)
    assert fold(history, make_poll(ended, at=late + 60), POLICY).completed == {"SUCCEEDED": 12}
