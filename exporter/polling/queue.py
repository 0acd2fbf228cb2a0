"""Which data source is polled next: what matters first, and nobody never. Pure: told the time, it never asks."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from exporter.domain.model import DataSource
    from exporter.polling.poller import PollOutcome

BACKOFF_CAP = 900.0
QUIET_SHARE = 5  # where there is more due than can be asked, each so manieth turn is a quiet source's


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between the starts of two polls: of a source that is syncing or due to, and of a quiet one."""

    active: float
    idle: float


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """When a source is due, as one that syncs or is due to and as a quiet one, and how often it has failed in a row."""

    active: float | None = None
    quiet: float | None = None
    failures: int = 0


class _Queue:
    """Turns by when they are due, the longest due first; those that were taken elsewhere are passed over."""

    def __init__(self, tickets: dict[str, int]) -> None:
        """Begin empty; `turns` has the number of each source's turn that is to come."""
        self._tickets = tickets
        self._entries: list[tuple[float, int, DataSource]] = []

    def put(self, due: float, source: DataSource) -> None:
        if len(self._entries) > 2 * len(self._tickets) + 64:
            # What was taken elsewhere may be due in weeks: it must not pile up until then.
            self._entries = [entry for entry in self._entries if self._is_to_come(entry)]
            heapq.heapify(self._entries)
        heapq.heappush(self._entries, (due, self._tickets[str(source.id)], source))

    def pop(self) -> DataSource:
        return heapq.heappop(self._entries)[2]

    @property
    def due(self) -> float:
        """Give when the first is due; never where there is none."""
        while self._entries and not self._is_to_come(self._entries[0]):
            heapq.heappop(self._entries)
        return self._entries[0][0] if self._entries else float("inf")

    def to_come(self) -> dict[str, float]:
        """Give when each source is due."""
        return {str(entry[2].id): entry[0] for entry in self._entries if self._is_to_come(entry)}

    def _is_to_come(self, entry: tuple[float, int, DataSource]) -> bool:
        _, number, source = entry
        return self._tickets.get(str(source.id)) == number


class PollQueue:
    """When each source is due. What is syncing or due to is served before what is quiet, and then the longest due.

    Quiet sources keep a share of the turns, so that they are late but never starve. One with a schedule waits in both
    queues: however late quiet sources are, from its firing on it is asked for like those that are syncing.
    """

    def __init__(self, intervals: Intervals, spacing: float, random: Random) -> None:
        """`spacing` are the seconds between the first polls of sources that are added together."""
        self._intervals = intervals
        self._spacing = spacing
        self._random = random
        self._numbers = count()
        self._tickets: dict[str, int] = {}
        self._active, self._quiet = _Queue(self._tickets), _Queue(self._tickets)
        self._saturated = 0
        self._members: set[str] = set()
        self._failures: dict[str, int] = {}
        self._first_pass: set[str] = set()
        self._this_pass: set[str] = set()
        self._next_first = 0.0
        self._succeeded = False
        self.in_flight: dict[str, float] = {}

    def __len__(self) -> int:
        """Count the sources."""
        return len(self._members)

    def add(self, source: DataSource, now: float, entry: QueueEntry | None = None, *, is_syncing: bool = False) -> None:
        """Take on a source, due when it was, else as soon as those added before it leave room.

        One that is known to be syncing is polled before the quiet ones.
        """
        key = str(source.id)
        self._members.add(key)
        self._this_pass.add(key)
        if entry is None:
            self._first_pass.add(key)
            due = max(now, self._next_first)
            self._next_first = due + self._spacing
            entry = QueueEntry(active=now) if is_syncing else QueueEntry(quiet=due)
        if entry.failures:
            self._failures[key] = entry.failures
        if key in self.in_flight:
            return
        self._tickets[key] = next(self._numbers)
        # The intervals may have become shorter since; a firing to come stays where it is.
        if entry.quiet is not None:
            longest = BACKOFF_CAP if entry.failures else self._intervals.idle
            self._quiet.put(min(entry.quiet, now + longest), source)
        if entry.active is not None:
            due = entry.active if entry.quiet is not None else min(entry.active, now + self._intervals.active)
            self._active.put(due, source)

    def entries(self, now: float) -> dict[str, QueueEntry]:
        """Give where each source that was polled stands; what is in flight is due now."""
        active, quiet = self._active.to_come(), self._quiet.to_come()
        flying = dict.fromkeys(self.in_flight, now)
        return {
            key: QueueEntry(active.get(key, flying.get(key)), quiet.get(key), self._failures.get(key, 0))
            for key in self._members - self._first_pass
        }

    def remove(self, source: DataSource) -> None:
        """Let go of a source, though it may be in flight."""
        key = str(source.id)
        self._members.discard(key)
        self._first_pass.discard(key)
        self._this_pass.discard(key)
        self._failures.pop(key, None)
        self._tickets.pop(key, None)

    def pop(self, now: float) -> DataSource | None:
        """Hand out the source whose turn it is, or None when none is due yet."""
        queues = [queue for queue in (self._active, self._quiet) if queue.due <= now]
        if not queues:
            return None
        if len(queues) > 1:
            self._saturated += 1  # only where both wait is there anything to share
        source = queues[-1 if self._saturated % QUIET_SHARE == 0 else 0].pop()
        del self._tickets[str(source.id)]
        self.in_flight[str(source.id)] = now
        return source

    def complete(self, source: DataSource, outcome: PollOutcome, now: float) -> None:
        """Take a source back and decide when it is due again."""
        key = str(source.id)
        started = self.in_flight.pop(key)
        if key not in self._members:
            return
        self._tickets[key] = next(self._numbers)
        self._first_pass.discard(key)
        self._this_pass.discard(key)
        self._succeeded |= outcome.succeeded
        if outcome.succeeded:
            self._failures.pop(key, None)
            due = max(now, started + (self._intervals.active if outcome.active else self._intervals.idle))
        else:
            self._failures[key] = self._failures.get(key, 0) + 1
            due = now + self._backoff(self._failures[key])
        (self._active if outcome.active else self._quiet).put(due, source)
        if outcome.succeeded and not outcome.active and outcome.fires_in is not None:
            self._active.put(now + outcome.fires_in + self._intervals.active, source)

    def end_pass(self) -> bool:
        """Tell whether every source has been polled since this last was so, and begin anew."""
        if self._this_pass or not self._members:
            return False
        self._this_pass = set(self._members)
        return True

    def wait(self, now: float) -> float | None:
        """Give the seconds until a source is due; None when none is waiting."""
        due = min(self._active.due, self._quiet.due)
        return None if due == float("inf") else max(0.0, due - now)

    def lag(self, now: float) -> float:
        """Give how late the most overdue source is, in seconds."""
        return max(0.0, now - min(self._active.due, self._quiet.due))

    @property
    def unpolled(self) -> int:
        """Count the sources that have not been polled yet."""
        return len(self._first_pass)

    @property
    def unready(self) -> str | None:
        """Say why the first pass has not ended; None when it has."""
        return f"{self.unpolled} data sources not polled yet" if self._first_pass else None

    @property
    def has_succeeded(self) -> bool:
        """Tell whether any poll ever worked."""
        return self._succeeded

    def _backoff(self, failures: int) -> float:
        # The first retry comes well before the next regular poll; later ones leave a struggling service alone.
        delay = min(BACKOFF_CAP, self._intervals.active / 4 * 2.0 ** min(failures - 1, 30))
        return delay * self._random.uniform(0.5, 1.0)
