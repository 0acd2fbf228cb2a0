"""A clock for the simulated service that tests move."""

from __future__ import annotations

import threading


class ManualClock:
    """Time that changes only when a test moves it."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._mutex = threading.Lock()

    def now(self) -> float:
        """Return seconds since the epoch."""
        with self._mutex:
            return self._now

    def advance(self, seconds: float) -> float:
        """Move the time forward, and return it."""
        with self._mutex:
            self._now += seconds
            return self._now

    def set(self, now: float) -> None:
        """Set the time, to an earlier or a later one."""
        with self._mutex:
            self._now = now
