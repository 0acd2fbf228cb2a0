"""Wrong readings of AWS's clock, and their corrected times."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from exporter.domain.clock_check import (
    TOLERANCE,
    ClockReading,
    corrected,
    corrected_before_use,
    is_behind_jobs,
    without_jump,
)
from exporter.domain.counting.history import fold, move_start
from exporter.domain.counting.source_history import PollData
from exporter.domain.counting.tracked_job import CountState
from exporter.domain.units import HOUR
from tests.support.builders import NOON, POLICY, make_job

NOW = ClockReading(NOON + 60, 0.0)


@pytest.mark.parametrize(
    ("noted", "now", "expected"),
    [
        (ClockReading(NOON, 0.0), NOW, None),
        (ClockReading(NOON + 2 * HOUR, 2 * HOUR), NOW, NOON + 1),
        (ClockReading(NOON + 2 * HOUR, 2 * HOUR), ClockReading(NOON + HOUR, 0.0), NOON + 1),
        # The host's clock was ahead by the same time at both readings.
        (ClockReading(NOON + 2 * HOUR, -HOUR), ClockReading(NOON + 60, -3 * HOUR), None),
        (ClockReading(NOON + 2 * HOUR, HOUR), ClockReading(NOON + 60, -HOUR), None),
        # The host's clock at the first reading is unknown.
        (ClockReading(NOON + 2 * HOUR), NOW, NOON + 60),
        (ClockReading(NOON + 2 * HOUR), ClockReading(NOON + 60, HOUR), None),
        # The wrong time has passed meanwhile. In another process, the host's clock may have been set.
        (ClockReading(NOON, 2 * HOUR), NOW, NOON - 2 * HOUR + 1),
        (ClockReading(NOON, 2 * HOUR, is_restored=True), NOW, None),
        (ClockReading(NOON + TOLERANCE, 2 * HOUR, is_restored=True), NOW, None),
        # Both Dates differ from the host about as much.
        (ClockReading(NOON, 2 * HOUR), ClockReading(NOON + 60, 2 * HOUR - 60), None),
        (ClockReading(NOON, 2 * HOUR), ClockReading(NOON + 60, -2 * HOUR), None),
    ],
)
def test_a_reading_ahead_is_corrected_if_the_host_agrees_with_the_present(
    noted: ClockReading, now: ClockReading, expected: float | None
) -> None:
    """The corrected time is the host's time at the reading, plus the resolution of the Date header."""
    assert corrected(noted, now) == expected


def test_a_reading_that_nothing_depends_on_may_become_later() -> None:
    """After a restart it may not, because the host's clock may have been set meanwhile."""
    behind = ClockReading(NOON - 2 * HOUR, -2 * HOUR)
    assert corrected(behind, NOW) is None
    assert corrected_before_use(behind, NOW) == NOON + 1
    assert corrected_before_use(behind.after_restart(), NOW) is None
    ahead = ClockReading(NOON + 2 * HOUR, 2 * HOUR)
    assert corrected_before_use(ahead, NOW) == corrected_before_use(ahead.after_restart(), NOW) == NOON + 1


@pytest.mark.parametrize(
    ("date", "ended", "expected"),
    [
        (ClockReading(NOON, 0.0), NOON + 2 * HOUR, False),
        (ClockReading(NOON - 2 * HOUR, -2 * HOUR), NOON - HOUR, True),
        (ClockReading(NOON - 2 * HOUR, -2 * HOUR), NOON - 3 * HOUR, False),
        (ClockReading(NOON - 2 * HOUR, -2 * HOUR), NOON + HOUR, False),
        (ClockReading(NOON - 2 * HOUR), NOON - HOUR, False),
        (ClockReading(NOON + 2 * HOUR, 2 * HOUR), NOON, False),
    ],
)
def test_only_a_job_that_the_host_confirms_contradicts_a_date(
    date: ClockReading,
    ended: float,
    expected: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    """Either the host's clock or the times of jobs may be wrong, and one alone is not proof."""
    assert is_behind_jobs(date, [make_job(started=ended - 60, lasted=60)]) is expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (NOON, ClockReading(NOON + 60, 0.0), (NOON, NOON + 60)),
        (NOON - 2 * HOUR, ClockReading(NOON + 60, 0.0), (NOON, NOON + 60)),
        (NOON + 2 * HOUR, ClockReading(NOON + 60, 0.0), (NOON, NOON + 60)),
        (NOON, ClockReading(NOON + 2 * HOUR, 2 * HOUR), (NOON, NOON + 60)),
        (NOON, ClockReading(NOON - 2 * HOUR, -2 * HOUR), (NOON, NOON + 60)),
        # The host's clock is wrong, and AWS's is not.
        (NOON, ClockReading(NOON + 60, -5 * HOUR), (NOON, NOON + 60)),
        (NOON, ClockReading(NOON + 60 + TOLERANCE, TOLERANCE), (NOON, NOON + 60 + TOLERANCE)),
        (NOON - 2 * HOUR, ClockReading(NOON + 60), (NOON - 2 * HOUR, NOON + 60)),
    ],
)
def test_of_two_dates_in_a_poll_the_one_closer_to_the_host_is_used(
    first: float, last: ClockReading, expected: tuple[float, float]
) -> None:
    """A poll of a minute has its times a minute apart, up to the tolerance."""
    corrected_first, corrected_last = without_jump(first, last, 60)
    assert (corrected_first, corrected_last.time) == expected


def test_a_job_that_counts_after_a_correction_waits_for_its_outcome() -> None:
    """A service may list it as complete before its outcome is known, and a counter cannot be corrected."""
    wrong = NOON + 2 * HOUR
    job = structs.replace(make_job("unexplained", started=NOON, lasted=HOUR), needs_explanation=True)
    before = fold(None, PollData((job,), wrong, wrong, clock_ahead=2 * HOUR), POLICY)
    moved = move_start(before, ClockReading(wrong + 60, 0.0), POLICY, was_polled=True, is_restored=False)
    assert moved.watched_since < NOON + HOUR
    assert moved.completed == {}
    assert [waiting.execution_id for waiting in moved.jobs_in_progress()] == [job.execution_id]
    after = fold(moved, PollData((structs.replace(job, needs_explanation=False),), wrong + 60, wrong + 60), POLICY)
    assert after.completed == {"SUCCEEDED": 1}


def test_an_earlier_start_counts_the_jobs_that_were_taken_for_history() -> None:
    """Each of them counts once with its documents. Jobs that ended before the correct start do not count."""
    wrong = NOON + 2 * HOUR
    jobs = (
        make_job("old", started=NOON - 600, lasted=60),
        make_job("new", "FAILED", started=NOON + 60, lasted=60, added=7),
    )
    before = fold(None, PollData((), wrong, wrong, clock_ahead=2 * HOUR), POLICY)
    before = fold(before, PollData(jobs, wrong + 200, wrong + 200), POLICY)
    assert (before.completed, {each.count_state for each in before.jobs.values()}) == ({}, {CountState.PRE_EXISTING})
    after = move_start(before, ClockReading(NOON + 300, 0.0), POLICY, was_polled=True, is_restored=True)
    assert (after.watched_since, after.as_of, after.clock_ahead) == (NOON + 1, NOON + 300, 0.0)
    assert (after.completed, after.documents["added"]) == ({"FAILED": 1}, 7)
    assert after.jobs[jobs[0].execution_id] == before.jobs[jobs[0].execution_id]
    assert move_start(after, ClockReading(NOON + 400, 0.0), POLICY, was_polled=True, is_restored=True) is after
    assert fold(after, PollData(jobs, NOON + 400, NOON + 400), POLICY).completed == {"FAILED": 1}


def test_a_start_without_a_contradiction_stays() -> None:
    """The history itself is returned, so that nothing is written."""
    history = replace(fold(None, PollData((), NOON, NOON), POLICY), clock_ahead=-3 * HOUR)
    assert move_start(history, NOW, POLICY, was_polled=True, is_restored=True) is history
