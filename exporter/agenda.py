"""Which data source is polled next: what matters first, and nobody never. Pure: told the time, it never asks."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from exporter.model import DataSource
    from exporter.poller import Outcome

BACKOFF_CAP = 900.0
QUIET_SHARE = 5  # where there is more due than can be asked, each so manieth turn is a quiet source's


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between the starts of two polls: of a source that is syncing or due to, and of a quiet one."""

    active: float
    idle: float


class _Queue:
    """Sources by when they are due, the longest due first."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, DataSource]] = []
        self._order = count()

    def put(self, due: float, source: DataSource) -> None:
        heapq.heappush(self._entries, (due, next(self._order), source))

    def pop(self) -> DataSource:
        return heapq.heappop(self._entries)[2]

    def remove(self, source: DataSource) -> None:
        self._entries = [entry for entry in self._entries if entry[2].id != source.id]
        heapq.heapify(self._entries)

    @property
    def due(self) -> float:
        """Give when the first is due; never where there is none."""
        return self._entries[0][0] if self._entries else float("inf")


class Agenda:
    """When each source is due. What is syncing or due to is served before what is quiet, and then the longest due.

    A source in flight is in no queue. Quiet sources keep a share of the turns, so that they are late but never starve.
    """

    def __init__(self, intervals: Intervals, spacing: float, random: Random) -> None:
        """`spacing` are the seconds between the first polls of sources that are added together."""
        self._intervals = intervals
        self._spacing = spacing
        self._random = random
        self._active, self._quiet = _Queue(), _Queue()
        self._turns = 0
        self._members: set[str] = set()
        self._failures: dict[str, int] = {}
        self._first_pass: set[str] = set()
        self._next_first = 0.0
        self._succeeded = False
        self.in_flight: dict[str, float] = {}

    def __len__(self) -> int:
        """Count the sources."""
        return len(self._members)

    def add(self, source: DataSource, now: float) -> None:
        """Take on a source, due as soon as those added before it leave room."""
        key = str(source.id)
        self._members.add(key)
        self._first_pass.add(key)
        due = max(now, self._next_first)
        self._next_first = due + self._spacing
        if key not in self.in_flight:
            self._quiet.put(due, source)

    def remove(self, source: DataSource) -> None:
        """Let go of a source, though it may be in flight."""
        key = str(source.id)
        self._members.discard(key)
        self._first_pass.discard(key)
        self._failures.pop(key, None)
        self._active.remove(source)
        self._quiet.remove(source)

    def take(self, now: float) -> DataSource | None:
        """Hand out the source whose turn it is, or None when none is due yet."""
        queues = [queue for queue in (self._active, self._quiet) if queue.due <= now]
        if not queues:
            return None
        if len(queues) > 1:
            self._turns += 1
        # Only where both wait is there anything to share.
        source = queues[-1 if self._turns % QUIET_SHARE == 0 else 0].pop()
        self.in_flight[str(source.id)] = now
        return source

    def done(self, source: DataSource, outcome: Outcome, now: float) -> None:
        """Take a source back and decide when it is due again."""
        key = str(source.id)
        started = self.in_flight.pop(key)
        if key not in self._members:
            return
        self._first_pass.discard(key)
        self._succeeded |= outcome.succeeded
        queue = self._active if outcome.active else self._quiet
        if not outcome.succeeded:
            self._failures[key] = self._failures.get(key, 0) + 1
            queue.put(now + self._backoff(self._failures[key]), source)
            return
        self._failures.pop(key, None)
        due = max(now, started + (self._intervals.active if outcome.active else self._intervals.idle))
        if outcome.fires_in is not None:
            # From its firing on it is asked at the shorter interval, whatever its idle one would have been.
            firing = now + outcome.fires_in + self._intervals.active
            if firing < due:
                due, queue = firing, self._active
        queue.put(due, source)

    def wait(self, now: float) -> float | None:
        """Give the seconds until a source is due; None when none is waiting."""
        due = min(self._active.due, self._quiet.due)
        return None if due == float("inf") else max(0.0, due - now)

    def lag(self, now: float) -> float:
        """Give how late the most overdue source is, in seconds."""
        return max(0.0, now - min(self._active.due, self._quiet.due))

    @property
    def unready(self) -> str | None:
        """Say why the first pass has not ended; None when it has."""
        return f"{len(self._first_pass)} data sources not polled yet" if self._first_pass else None

    @property
    def has_succeeded(self) -> bool:
        """Tell whether any poll ever worked."""
        return self._succeeded

    def _backoff(self, failures: int) -> float:
        # The first retry comes well before the next regular poll; later ones leave a struggling service alone.
        delay = min(BACKOFF_CAP, self._intervals.active / 4 * 2.0 ** min(failures - 1, 30))
        return delay * self._random.uniform(0.5, 1.0)
