"""The simulated service's clock, which its Date header and its jobs follow."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class SimulatedClock(Protocol):
    """Whatever tells the simulated time."""

    def now(self) -> float:
        """Give seconds since the epoch."""


class ScaledClock:
    """Time that runs from a moment at a multiple of real time."""

    def __init__(self, start: float | None = None, speed: float = 1.0) -> None:
        self._start = time.time() if start is None else start
        self._speed = speed
        self._began = time.monotonic()

    def now(self) -> float:
        """Give seconds since the epoch."""
        return self._start + (time.monotonic() - self._began) * self._speed


class ManualClock:
    """Time that stands still until it is moved."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._mutex = threading.Lock()

    def now(self) -> float:
        """Give seconds since the epoch."""
        with self._mutex:
            return self._now

    def advance(self, seconds: float) -> float:
        """Let time pass, and give the time then."""
        with self._mutex:
            self._now += seconds
            return self._now

    def set(self, now: float) -> None:
        """Make it a given time, later or earlier."""
        with self._mutex:
            self._now = now
