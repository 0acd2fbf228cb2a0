"""The settings that affect counting."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.domain.counting.eviction import MIN_RETENTION
from exporter.domain.units import DAY, HOUR, MINUTE

DEFAULT_BUCKETS = (MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY)


@dataclass(frozen=True, slots=True)
class CountingPolicy:
    """The settings that affect counting: `polling.window` in seconds, and the bounds of the duration buckets."""

    window: float
    duration_buckets: tuple[float, ...]
    error_codes: tuple[str, ...]
    """The error codes of the service. A job with any other one counts as `other`."""

    @property
    def retention(self) -> float:
        """The seconds that a job is kept after its end."""
        return max(self.window, MIN_RETENTION)
