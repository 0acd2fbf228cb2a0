"""The count queue, which decides when the documents of each data source are counted.

It is pure: the caller passes the time, and the queue never waits. The source that has been due for the longest time is
first. If the counts take longer than the interval, all sources are late, and each is counted as often as the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.model import SourceId

FIRST_RETRY, LAST_RETRY = 60.0, 3600.0  # seconds until a failed count continues, which double with each failure


@dataclass(slots=True)
class _ScheduledCount:
    """The time at which a source is due, and the failures of its count since the last success."""

    due: float
    failures: int = 0


class CountQueue:
    """The data sources of a target by the time at which their documents are counted next."""

    def __init__(self, interval: float) -> None:
        """Start empty; `interval` is the number of seconds between the starts of two counts of a source."""
        self._interval = interval
        self._entries: dict[SourceId, _ScheduledCount] = {}
        self._busy_since: float | None = None

    def watch(self, ages: Mapping[SourceId, float | None], now: float) -> None:
        """Set the sources, with the ages of their last counts. New ones are due an interval after these."""
        self._entries = {
            source: self._entries.get(source)
            or _ScheduledCount(-math.inf if age is None else now + self._interval - age)
            for source, age in ages.items()
        }

    def pop(self, now: float) -> SourceId | None:
        """Return the source to count next; None if no source is due."""
        source = min(self._entries, key=lambda each: self._entries[each].due, default=None)
        if source is None or self._entries[source].due > now:
            self._busy_since = None
            return None
        self._busy_since = now if self._busy_since is None else self._busy_since
        return source

    def complete(self, source: SourceId, started: float) -> None:
        """Make a source due an interval after the start of the count that has ended."""
        self._entries[source] = _ScheduledCount(started + self._interval)

    def fail(self, source: SourceId, now: float) -> None:
        """Make a source due for a retry."""
        failures = self._entries[source].failures + 1
        delay = min(FIRST_RETRY * 2.0 ** min(failures - 1, 30), max(self._interval, FIRST_RETRY), LAST_RETRY)
        self._entries[source] = _ScheduledCount(now + delay, failures)

    def delay(self, now: float) -> float:
        """Return the seconds until a source is due."""
        return max(0.0, min((entry.due for entry in self._entries.values()), default=math.inf) - now)

    def is_behind(self, now: float) -> bool:
        """Return whether some source was always due during the last interval, which is too short then."""
        return self._busy_since is not None and now - self._busy_since > self._interval
