"""The back-off of data sources whose polls fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from random import Random

BACKOFF_CAP = 900.0  # the longest delay of a poll, in seconds


class Backoff:
    """Counts the consecutive failures of each source, and delays its next poll more with each of them.

    The first retry comes earlier than the next regular poll would. The later ones do not add to the load of an
    overloaded service. Jitter spreads the retries of sources that failed together.
    """

    def __init__(self, first: float, random: Random) -> None:
        """Start without failures; `first` is the delay after the first failure, in seconds."""
        self._first = first
        self._random = random
        self._failures: dict[str, int] = {}

    def next_delay(self, key: str) -> float:
        """Count a failure, and return the seconds until the next poll."""
        failures = self._failures[key] = self.failures(key) + 1
        delay = min(BACKOFF_CAP, self._first * 2.0 ** min(failures - 1, 30))
        return delay * self._random.uniform(0.5, 1.0)

    def failures(self, key: str) -> int:
        """Return the number of consecutive failures of a source."""
        return self._failures.get(key, 0)

    @property
    def failing(self) -> Collection[str]:
        """The sources whose last poll failed."""
        return self._failures.keys()

    def restore(self, key: str, failures: int) -> None:
        """Continue with the failures that another queue has counted."""
        if failures:
            self._failures[key] = failures

    def reset(self, key: str) -> None:
        """Forget the failures of a source."""
        self._failures.pop(key, None)

    def clear(self) -> None:
        """Forget the failures of all sources."""
        self._failures.clear()
