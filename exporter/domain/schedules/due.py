"""Whether the next sync of a data source is due, according to its schedule and its sync jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.domain.schedules.schedule_start import previous_firing, schedule_of
from exporter.domain.units import HOUR, SCHEDULE_RESOLUTION

if TYPE_CHECKING:
    from exporter.domain.counting.source_history import SourceHistory
    from exporter.domain.model import Description

DUE_PERIOD = HOUR
"""A sync is due for this long after its firing. If it starts later, polls at the idle interval find it."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Whether a sync should have started but was not seen yet, and the seconds until the schedule fires next."""

    is_due: bool = False
    fires_in: float | None = None


def expectation(description: Description | None, history: SourceHistory | None, now: float) -> Expectation:
    """Return the expectation from the schedule of a source, at a time on AWS's clock.

    AWS ignores the schedule until the first manual sync of the source. So nothing is expected of a source without jobs.
    A firing from before the schedule existed does not make a sync due either.

    Example: the schedule fires at 02:00. From 02:00 to 03:00 a sync is due, until a job is seen that started at 01:59
    or later. A job that started at 01:58 was started manually, because it precedes the firing by more than the
    inaccuracy of the clocks and the schedule.
    """
    latest_start = max((tracked.job.started for tracked in history.jobs.values()), default=None) if history else None
    parsed = schedule_of(description)
    if parsed is None or latest_start is None:
        return Expectation()
    fired, fires = previous_firing(description, now), parsed.next(now)
    is_due = fired is not None and now - fired < DUE_PERIOD and latest_start < fired - SCHEDULE_RESOLUTION
    return Expectation(is_due, None if fires is None else fires - now)
