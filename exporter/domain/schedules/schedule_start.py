"""The time since which the schedule of a data source exists. No sync is expected before that time.

A description does not contain the age of its schedule. When the schedule is first seen, the update time of the
description is the latest time at which the schedule can have been set. Later updates may be about other properties, so
they change nothing unless the schedule differs.

Example: a daily schedule is first seen in a description that was updated on Monday. On Friday the data source is
renamed, and the schedule still exists since Monday. On Sunday at 10:07 the poller sees an hourly schedule, which exists
since 10:07.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.schedules.schedule import ScheduleError, parse_schedule
from exporter.domain.units import DAY

if TYPE_CHECKING:
    from exporter.domain.model import Description
    from exporter.domain.schedules.schedule import Schedule


def schedule_of(description: Description | None) -> Schedule | None:
    """Return the schedule of a description; None without one, or if it is not valid."""
    try:
        return parse_schedule(description.schedule) if description and description.schedule else None
    except ScheduleError:
        return None


def previous_firing(description: Description | None, now: float) -> float | None:
    """Return the last firing of a schedule; None if that was before the schedule existed."""
    schedule = schedule_of(description)
    fired = schedule.previous(now) if schedule else None
    since = description.schedule_since if description else None
    return fired if fired is None or since is None or fired >= since else None


def with_schedule_start(described: Description, known: Description | None, now: float) -> Description:
    """Return a new description with the time since which its schedule exists; `now` is on AWS's clock.

    `known` is the previous description, whose `schedule` is None if it was never seen. An update time in the future is
    not used: no sync would be expected until then. A day of difference may be an error of the clock.
    """
    if not (described.schedule and described.schedule.strip()):
        return replace(described, schedule_since=None)
    if known is None or known.schedule is None:
        is_possible = described.updated is None or described.updated <= now + DAY
        since = described.updated if is_possible else now
    elif _normalized(known.schedule) == _normalized(described.schedule):
        since = known.schedule_since
    else:
        since = now
    return replace(described, schedule_since=since)


def _normalized(schedule: str) -> str:
    """Return a text that is the same for all spellings of a schedule."""
    try:
        parsed = parse_schedule(schedule)
    except ScheduleError:
        return schedule.strip()
    return parsed.expression if parsed else ""
