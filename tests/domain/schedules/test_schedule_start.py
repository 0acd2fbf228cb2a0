"""The time since which a schedule exists: `updatedAt` when it is first seen, or the time of a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.domain.model import Description
from exporter.domain.schedules.schedule_start import previous_firing, with_schedule_start
from exporter.domain.units import DAY, HOUR

MIDNIGHT = 1_790_035_200.0  # 00:00 UTC
NOW = MIDNIGHT + HOUR
DAILY = Description("hr", "S3", "ACTIVE", updated=MIDNIGHT - 9 * DAY, schedule="cron(0 0 * * ? *)")


@pytest.mark.parametrize("known", [None, replace(DAILY, schedule=None)])
def test_a_schedule_that_is_first_seen_holds_since_the_last_update(known: Description | None) -> None:
    """It cannot have been set later, and an earlier time is unknown. A listing before that has no schedule."""
    assert with_schedule_start(DAILY, known, NOW).schedule_since == MIDNIGHT - 9 * DAY


@pytest.mark.parametrize(("updated", "since"), [(NOW + HOUR, NOW + HOUR), (NOW + 400 * DAY, NOW), (None, None)])
def test_an_update_in_the_future_delays_no_expectation(updated: float | None, since: float | None) -> None:
    """A sync would otherwise be expected only after that time. The clock may be wrong by hours."""
    assert with_schedule_start(replace(DAILY, updated=updated), None, NOW).schedule_since == since


@pytest.mark.parametrize("schedule", ["cron(0 0 * * ? *)", " CRON(0 0 * * ? *)", "0 0 * * ?"])
def test_an_update_that_leaves_the_schedule_as_it_was_moves_nothing(schedule: str) -> None:
    """The description or the credentials were edited, or the schedule was written in another way."""
    known = with_schedule_start(DAILY, None, NOW)
    updated = replace(DAILY, updated=NOW, schedule=schedule)
    assert with_schedule_start(updated, known, NOW + 60).schedule_since == MIDNIGHT - 9 * DAY


@pytest.mark.parametrize("before", ["", "cron(0 0 ? * SUN *)", "whenever"])
def test_a_changed_schedule_holds_since_it_was_seen_to_change(before: str) -> None:
    """Also one that replaces none, and one that was not valid."""
    known = replace(DAILY, schedule=before, schedule_since=MIDNIGHT - 9 * DAY)
    assert with_schedule_start(DAILY, known, NOW).schedule_since == NOW


def test_without_a_schedule_nothing_holds() -> None:
    """The time of a former schedule is not kept."""
    known = with_schedule_start(DAILY, None, NOW)
    assert with_schedule_start(replace(DAILY, schedule=" "), known, NOW).schedule_since is None


@pytest.mark.parametrize(
    ("since", "fired"), [(None, MIDNIGHT), (MIDNIGHT - 60, MIDNIGHT), (MIDNIGHT, MIDNIGHT), (MIDNIGHT + 60, None)]
)
def test_no_firing_is_from_before_the_schedule_existed(since: float | None, fired: float | None) -> None:
    """If the start is unknown, all firings count."""
    assert previous_firing(replace(DAILY, schedule_since=since), NOW) == fired
