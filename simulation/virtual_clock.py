"""Virtual time: a schedule of callbacks."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

from greenlet import getcurrent

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


class VirtualClock:
    """Seconds since the epoch, and scheduled callbacks. Callbacks at the same time run in a random order."""

    def __init__(self, start: float, rng: Random) -> None:
        self.now = start
        self.started = start
        self._rng = rng
        self._numbers = count()
        self._schedule: list[tuple[float, float, int, Callable[[], None]]] = []
        self.hub = getcurrent()

    def at(self, moment: float, callback: Callable[[], None]) -> None:
        """Call back at a time. The callback must not wait."""
        entry = (max(moment, self.now), self._rng.random(), next(self._numbers), callback)
        heapq.heappush(self._schedule, entry)

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back after some seconds. The callback must not wait."""
        self.at(self.now + seconds, callback)

    def run(self, until: float) -> None:
        """Advance to a time and run all callbacks until then. After an exception, a further call continues."""
        self.hub = getcurrent()
        while self._schedule and self._schedule[0][0] <= until:
            self.now, _, _, callback = heapq.heappop(self._schedule)
            callback()
        self.now = until
