"""The queue of initial polls: of sources that this process has not polled yet.

Initial polls start `spacing` seconds apart. The sources that no process has polled come first, then those whose last
poll is the longest time ago, even if that poll failed. If a sync was in progress, the time since the last poll counts
LOWER_SHARE times. So a process that dies soon after each start polls all of its sources in the end, even if it has time
for only one poll each time. Example: a source with a sync was polled a minute ago and another one four minutes ago, so
the first one is polled next. After a crash, its last poll is 10 seconds ago, and the second one is polled next.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from exporter.polling.priorities import LOWER_SHARE
from exporter.polling.ticket_queue import TicketQueue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.model import DataSource


class InitialQueue(TicketQueue):
    """The sources that wait for their initial poll, the stalest first."""

    def __init__(self, tickets: Mapping[str, int], spacing: float) -> None:
        super().__init__(tickets)
        self._spacing = spacing
        self._next_poll = 0.0
        self._last_reserved = 0.0

    def add(self, source: DataSource, now: float, poll_age: float | None, *, is_syncing: bool) -> None:
        """Add a source whose last poll was `poll_age` seconds ago; None if it was never polled."""
        age = math.inf if poll_age is None else poll_age
        self.put(now - age * (LOWER_SHARE if is_syncing and age > 0 else 1), source)

    def reserve_time(self, now: float) -> float:
        """Return when the poll of a source that was never polled is due: `spacing` after the previous such time."""
        self._last_reserved = max(now, self._last_reserved + self._spacing)
        return self._last_reserved

    @property
    def due(self) -> float:
        """The time of the next initial poll; infinity without one."""
        return self._next_poll if super().due < math.inf else math.inf

    def delay_next(self, now: float) -> None:
        """Delay the next initial poll, because one starts now."""
        self._next_poll = max(now, self._next_poll) + self._spacing
