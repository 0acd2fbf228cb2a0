"""The hints that a sync was started or stopped, which make data sources due for a poll.

Like the poll queue, this is pure. A hint costs at most one poll, and the polls of a source that are due by hints are
no closer than the active interval. Example: a source was polled at 0:00, and the interval is a minute. A hint at 0:20
makes it due at 1:00, and further hints until then change nothing. A hint at 1:05, after that poll, makes it due at
2:00.

A source with a hint is followed: its polls precede all others until one finds no sync in progress or due. So
the end of a manually started sync is seen in time too. Of a source whose sync is in progress anyway, a forged
hint changes the order of the polls, and not how many there are.
"""

from __future__ import annotations

import math


class Hints:
    """The sources that are followed, those with a hint since the start of their last poll, and when that was."""

    def __init__(self, interval: float) -> None:
        """Start empty; `interval` is the seconds between two polls of a source, at least."""
        self._interval = interval
        self._pending: set[str] = set()
        self._followed: set[str] = set()
        self._started: dict[str, float] = {}

    def add(self, key: str, now: float) -> float | None:
        """Record a hint, and return when its source is due; None if it is due by an earlier hint."""
        if key in self._pending:
            return None
        self._pending.add(key)
        self._followed.add(key)
        return max(now, self.last_start(key) + self._interval)

    def last_start(self, key: str) -> float:
        """Return the start of the last poll of a source; minus infinity if it was not polled yet."""
        return self._started.get(key, -math.inf)

    def is_followed(self, key: str) -> bool:
        """Return whether the last hint may still concern a sync in progress."""
        return key in self._followed

    def restore(self, key: str) -> None:
        """Follow a source that another queue has followed."""
        self._followed.add(key)

    def poll_started(self, key: str, now: float) -> None:
        """Record the start of a poll, which all hints before it have asked for."""
        self._pending.discard(key)
        self._started[key] = now

    def poll_ended(self, key: str, *, is_active: bool) -> bool:
        """Return whether the source is still followed: it is active, or there was a hint during the poll."""
        if not is_active and key not in self._pending:
            self._followed.discard(key)
        return key in self._followed

    def remove(self, key: str) -> None:
        """Forget a source."""
        self._pending.discard(key)
        self._followed.discard(key)
        self._started.pop(key, None)
