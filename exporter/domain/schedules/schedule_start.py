"""The time at which the schedule of a data source began to hold. Nothing is expected of the time before.

A description contains a schedule without saying how old it is. The time of its update is the latest time at which the
schedule can have been set, as of when it is first seen. Later updates may concern other properties, so they move
nothing unless the schedule differs.

Example: a daily schedule is first seen in a description that was updated on Monday. On Friday the data source gets
another name, and the schedule still holds since Monday. On Sunday at 10:07 the poller sees an hourly schedule, which
holds since 10:07.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.schedules.schedule import ScheduleError, parse_schedule

if TYPE_CHECKING:
    from exporter.domain.model import Description
    from exporter.domain.schedules.schedule import Schedule


def schedule_of(description: Description | None) -> Schedule | None:
    """Return the schedule of a description; None if it has none, or one that is not valid."""
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
    """Return a new description with the time since which its schedule holds; `now` is on AWS's clock.

    `known` is the description before, whose `schedule` is None until it was seen.
    """
    if not (described.schedule and described.schedule.strip()):
        return replace(described, schedule_since=None)
    if known is None or known.schedule is None:
        since = described.updated
    elif _normalized(known.schedule) == _normalized(described.schedule):
        since = known.schedule_since
    else:
        since = now
    return replace(described, schedule_since=since)


def _normalized(schedule: str) -> str:
    """Return a text that is the same for two spellings of one schedule."""
    try:
        parsed = parse_schedule(schedule)
    except ScheduleError:
        return schedule.strip()
    return parsed.expression if parsed else ""
