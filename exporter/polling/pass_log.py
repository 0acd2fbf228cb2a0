"""What a pass over all data sources of a target came to, as one line of the log."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from exporter.runtime import Clock

_ALWAYS = ("polls", "failed", "jobs_ended", "requests", "throttled")  # said also where there were none

logger = structlog.get_logger()


class PassLog:
    """Counts what happens, from any thread, until a pass ends."""

    def __init__(self, target: str, clock: Clock) -> None:
        self._target = target
        self._clock = clock
        self._mutex = threading.Lock()
        self._begun = clock.monotonic()
        self._counts: Counter[str] = Counter()

    def note(self, *things: str) -> None:
        """Count each of some things once."""
        with self._mutex:
            self._counts.update(things)

    def end(self, **facts: float) -> None:
        """Write the line, with what else is known, and begin the next pass."""
        now = self._clock.monotonic()
        with self._mutex:
            counts, self._counts = self._counts, Counter()
            seconds, self._begun = now - self._begun, now
        figures = {name: counts.pop(name, 0) for name in _ALWAYS}
        figures |= dict(sorted(counts.items()))
        logger.info("pass ended", target=self._target, seconds=round(seconds, 3), **figures, **facts)
