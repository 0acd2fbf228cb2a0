"""The log line of a pass, in which every data source of a target is polled."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from exporter.runtime import Clock

_ALWAYS_LOGGED = ("polls", "failed", "jobs_ended", "requests", "throttled")  # also when they are 0

logger = structlog.get_logger()


class PassLog:
    """Counts events of a target until a pass ends; may be used from any thread."""

    def __init__(self, target: str, clock: Clock) -> None:
        self._target = target
        self._clock = clock
        self._mutex = threading.Lock()
        self._started = clock.monotonic()
        self._counts: Counter[str] = Counter()

    def count(self, *events: str) -> None:
        """Count one occurrence of each event."""
        with self._mutex:
            self._counts.update(events)

    def end_pass(self, **fields: float) -> None:
        """Log the pass with its counts and further fields, and start the next one."""
        now = self._clock.monotonic()
        with self._mutex:
            counts, self._counts = self._counts, Counter()
            seconds, self._started = now - self._started, now
        always = {name: counts.pop(name, 0) for name in _ALWAYS_LOGGED}
        others = dict(sorted(counts.items()))
        logger.info("pass ended", target=self._target, seconds=round(seconds, 3), **always, **others, **fields)
