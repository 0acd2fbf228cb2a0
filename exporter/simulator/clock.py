"""The clock of the simulated service, which determines the Date header and the sync jobs."""

from __future__ import annotations

import time
from typing import Protocol


class SimulatedClock(Protocol):
    """A source of simulated time."""

    def now(self) -> float:
        """Return seconds since the epoch."""


class ScaledClock:
    """Time that runs from a given start at a multiple of real time."""

    def __init__(self, start: float | None = None, speed: float = 1.0) -> None:
        self._start = time.time() if start is None else start
        self._speed = speed
        self._began = time.monotonic()

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._start + (time.monotonic() - self._began) * self._speed
