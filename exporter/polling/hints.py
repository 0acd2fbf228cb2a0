"""Hints that a sync was started or stopped, which make data sources due for a poll.

Like the poll queue, this is pure. A hint costs at most one poll, and hints never make a source due earlier than one
active interval after its last poll. Example: a source was polled at 0:00, and the interval is a minute. A hint at 0:20
makes it due at 1:00, and further hints until then change nothing. A hint at 1:05, after that poll, makes it due at
2:00.

A source with a hint is followed: its polls precede all others until one of them finds no sync in progress or due. So
the poller also sees the end of a manual sync in time. If a sync is in progress anyway, a forged hint changes the order
of the polls and not their number.
"""

from __future__ import annotations

import math


class Hints:
    """The followed sources, the hints since the start of each source's last poll, and the time of that start."""

    def __init__(self, interval: float) -> None:
        """Start empty; `interval` is the minimum time between two polls of a source, in seconds."""
        self._interval = interval
        self._pending: set[str] = set()
        self._followed: set[str] = set()
        self._started: dict[str, float] = {}

    def add(self, key: str, now: float) -> float | None:
        """Record a hint, and return when its source is due; None if an earlier hint has made it due."""
        if key in self._pending:
            return None
        self._pending.add(key)
        self._followed.add(key)
        return max(now, self.last_start(key) + self._interval)

    def last_start(self, key: str) -> float:
        """Return the start of a source's last poll; minus infinity if it was never polled."""
        return self._started.get(key, -math.inf)

    def is_followed(self, key: str) -> bool:
        """Return whether the sync of the last hint may still be in progress."""
        return key in self._followed

    def restore(self, key: str) -> None:
        """Follow a source that another queue has followed."""
        self._followed.add(key)

    def poll_started(self, key: str, now: float) -> None:
        """Record the start of a poll, which ends the effect of all earlier hints."""
        self._pending.discard(key)
        self._started[key] = now

    def poll_ended(self, key: str, *, is_active: bool) -> bool:
        """Return whether the source is still followed: it is active, or a hint arrived during the poll."""
        if not is_active and key not in self._pending:
            self._followed.discard(key)
        return key in self._followed

    def remove(self, key: str) -> None:
        """Forget a source."""
        self._pending.discard(key)
        self._followed.discard(key)
        self._started.pop(key, None)
