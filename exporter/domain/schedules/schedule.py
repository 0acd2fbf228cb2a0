"""The schedule of a data source: a cron expression, or a period in which AWS chooses the time."""

from __future__ import annotations

from functools import lru_cache

from exporter.domain.schedules.cron import Cron, ScheduleError, parse_cron
from exporter.domain.schedules.period import Period, parse_period

__all__ = ["Schedule", "ScheduleError", "parse_schedule"]

Schedule = Cron | Period


@lru_cache(maxsize=4096)
def parse_schedule(text: str) -> Schedule | None:
    """Parse a schedule; return None for a source that is synced on demand. Raise ScheduleError if it is not valid."""
    text = text.strip()
    return (parse_period(text) or parse_cron(text)) if text else None
