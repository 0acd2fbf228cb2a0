"""Whether a data source's next sync is due, by its schedule and by what it has done so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.domain.schedule import ScheduleError, parse
from exporter.domain.units import HOUR, SCHEDULE_RESOLUTION

if TYPE_CHECKING:
    from exporter.domain.source_history import SourceHistory

PATIENCE = HOUR  # seconds after its firing that a sync is waited for closely; what comes later is found all the same


@dataclass(frozen=True, slots=True)
class Expectation:
    """Whether a sync is due and was not seen to start, and the seconds until the schedule fires next."""

    is_due: bool = False
    fires_in: float | None = None


def expectation(text: str | None, history: SourceHistory | None, now: float) -> Expectation:
    """Tell what is expected of a source at a moment on AWS's clock.

    A schedule does nothing before the first sync by hand, so nothing is expected of a source that was never synced.
    """
    latest = max((known.job.started for known in history.jobs.values()), default=None) if history else None
    try:
        schedule = parse(text) if text else None
    except ScheduleError:
        schedule = None
    if schedule is None or latest is None:
        return Expectation()
    fired, fires = schedule.previous(now), schedule.next(now)
    is_due = fired is not None and now - fired < PATIENCE and latest < fired - SCHEDULE_RESOLUTION
    return Expectation(is_due, None if fires is None else fires - now)
