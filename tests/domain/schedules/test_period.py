"""Schedules for which AWS chooses the time. They have a longest gap and no firings."""

from __future__ import annotations

import pytest

from exporter.domain.model import Description
from exporter.domain.schedules.due import expectation
from exporter.domain.schedules.schedule import ScheduleError, parse_schedule
from exporter.domain.units import DAY
from tests.support.builders import NOON, fold_polls, make_job, make_poll


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("every day", 2),
        ("weekly on MONDAY", 8),
        ("weekly on SUNDAY", 8),
        ("monthly on day 1", 32),
        ("monthly on day 28", 32),
        ("monthly on the last day", 32),
    ],
)
def test_a_period_has_a_longest_gap_and_no_firings(text: str, days: int) -> None:
    """A sync may start at any time of its day, so that a day is added to the period."""
    schedule = parse_schedule(text)
    assert schedule is not None
    assert (schedule.expression, schedule.longest_gap(), schedule.recurs) == (text, days * DAY, True)
    assert (schedule.next(NOON), schedule.previous(NOON)) == (None, None)


@pytest.mark.parametrize("text", ["hourly", "weekly on ", "weekly on Noday", "monthly on day 0", "monthly on day 32"])
def test_an_undocumented_period_is_not_valid(text: str) -> None:
    """It is exposed as a schedule that is not valid, and not as a source that is synced on demand."""
    with pytest.raises(ScheduleError):
        parse_schedule(text)


def test_no_sync_is_due_at_a_time() -> None:
    """Such a source is polled like one without a schedule."""
    description = Description("hr", "S3", "AVAILABLE", schedule="every day", schedule_since=NOON - 9 * DAY)
    history = fold_polls(make_poll(make_job(started=NOON - 3 * DAY)))
    expected = expectation(description, history, NOON)
    assert (expected.is_due, expected.fires_in) == (False, None)
