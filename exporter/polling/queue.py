"""The poll queue, which decides when each data source is polled.

It is pure: the caller passes the time, and the queue never waits.

A source is active if a sync is in progress or due, and quiet otherwise. As long as the rate limit allows all polls in
time, the order hardly matters. If it does not, two rules decide:

- Active sources are polled before quiet ones, because their metrics are about to change. Among sources of the same
  kind, the one that has been due for the longest time is first.
- Quiet sources keep a share: while sources of both kinds are due, every QUIET_SHARE-th poll is of a quiet one. They are
  late but never starve, no matter how many sources are active.

Example: one poll per second, 240 active sources and 600 quiet ones, which is too much for intervals of 60 and 300
seconds. Of five polls, four are of active sources and one is of a quiet source. So each active source is polled every
5 minutes, and each quiet one every 50 minutes.

A quiet source with a schedule waits in both queues. As a quiet source it is due after the idle interval, as an active
one when its schedule has fired. Without the second entry, its scheduled sync would be noticed late whenever quiet
sources are late. Both entries have the same ticket, which is valid once: to pop one of them invalidates the other.

A source that is behind has a further entry, for the next step of its catch-up. Steps take several requests each, and a
catch-up takes up to thousands of steps. So at most CATCH_UP_SHARE of the workers poll a step at a time, and while other
polls are due, only every STEP_INTERVAL-th poll is a step. The source is polled at its usual intervals meanwhile.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from exporter.domain.model import DataSource
    from exporter.polling.poller import PollOutcome

BACKOFF_CAP = 900.0
QUIET_SHARE = 5  # while sources of both kinds are due, one of this many polls is of a quiet source
CATCH_UP_SHARE = 0.25  # of the workers, at most, are busy with steps of a catch-up
STEP_INTERVAL = 40  # while other polls are due, one of this many is a step of a catch-up
_MAX_INVALID = 64  # invalid entries that a queue may have, in addition to two for each source


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between the starts of two polls of an active source, and of a quiet one."""

    active: float
    idle: float


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """The times at which a source is due as an active and as a quiet one, and its consecutive failures."""

    active: float | None = None
    quiet: float | None = None
    failures: int = 0


class _TicketQueue:
    """The sources of one kind by due time; an entry is valid while its source has its ticket."""

    def __init__(self, tickets: Mapping[str, int]) -> None:
        """Start empty; `tickets` has the valid ticket of each waiting source, and both kinds share it."""
        self._tickets = tickets
        self._entries: list[tuple[float, int, DataSource]] = []

    def put(self, due: float, source: DataSource) -> None:
        if len(self._entries) > 2 * len(self._tickets) + _MAX_INVALID:
            # An entry that became invalid may be due in weeks. Without this, such entries would pile up until then.
            self._entries = [entry for entry in self._entries if self._is_valid(entry)]
            heapq.heapify(self._entries)
        heapq.heappush(self._entries, (due, self._tickets[str(source.id)], source))

    def pop(self) -> DataSource:
        """Remove and return the source that `due` refers to."""
        return heapq.heappop(self._entries)[2]

    @property
    def due(self) -> float:
        """The time at which the first source is due; infinity without sources."""
        while self._entries and not self._is_valid(self._entries[0]):
            heapq.heappop(self._entries)
        return self._entries[0][0] if self._entries else float("inf")

    def due_times(self) -> dict[str, float]:
        """Return when each source is due."""
        return {str(entry[2].id): entry[0] for entry in self._entries if self._is_valid(entry)}

    def _is_valid(self, entry: tuple[float, int, DataSource]) -> bool:
        _, ticket, source = entry
        return self._tickets.get(str(source.id)) == ticket


class PollQueue:
    """The data sources of a target by due time; each either waits or is in flight, never both."""

    def __init__(self, intervals: Intervals, spacing: float, random: Random, workers: int = 1) -> None:
        """Start empty; `spacing` is the seconds between the initial polls of sources that are added together."""
        self._intervals = intervals
        self._spacing = spacing
        self._random = random
        self._ticket_numbers = count()
        self._tickets: dict[str, int] = {}
        self._active, self._quiet = _TicketQueue(self._tickets), _TicketQueue(self._tickets)
        self._catch_up = _TicketQueue(self._tickets)
        self._max_steps = max(1, int(workers * CATCH_UP_SHARE))
        self._steps_in_flight: set[str] = set()
        self._polls_since_step = 0
        self._saturated_polls = 0  # polls while sources of both kinds were due
        self._sources: set[str] = set()
        self._failures: dict[str, int] = {}
        self._unpolled: set[str] = set()
        self._remaining_in_pass: set[str] = set()
        self._next_initial_poll = 0.0
        self._has_succeeded = False
        self.in_flight: dict[str, float] = {}
        """The start of the poll of each source in flight."""

    def __len__(self) -> int:
        """Return the number of sources."""
        return len(self._sources)

    def add(self, source: DataSource, now: float, entry: QueueEntry | None = None, *, is_syncing: bool = False) -> None:
        """Add a source.

        With the entry of another queue, it is due as there. Otherwise it is due after the sources added before it, or
        immediately if it is known to be syncing.
        """
        key = str(source.id)
        self._sources.add(key)
        self._remaining_in_pass.add(key)
        if entry is None:
            self._unpolled.add(key)
            due = max(now, self._next_initial_poll)
            self._next_initial_poll = due + self._spacing
            entry = QueueEntry(active=now) if is_syncing else QueueEntry(quiet=due)
        if entry.failures:
            self._failures[key] = entry.failures
        if key in self.in_flight:
            return  # it was removed during its poll, and is queued when that completes
        self._tickets[key] = next(self._ticket_numbers)
        # The other queue may have had longer intervals. The time at which a schedule fires does not depend on them.
        if entry.quiet is not None:
            longest = BACKOFF_CAP if entry.failures else self._intervals.idle
            self._quiet.put(min(entry.quiet, now + longest), source)
        if entry.active is not None:
            fires = entry.quiet is not None
            self._active.put(entry.active if fires else min(entry.active, now + self._intervals.active), source)

    def entries(self, now: float) -> dict[str, QueueEntry]:
        """Return the entries of all sources that were polled, for another queue; sources in flight are due now."""
        active, quiet = self._active.due_times(), self._quiet.due_times()
        in_flight = dict.fromkeys(self.in_flight, now)
        return {
            key: QueueEntry(active.get(key, in_flight.get(key)), quiet.get(key), self._failures.get(key, 0))
            for key in self._sources - self._unpolled
        }

    def remove(self, source: DataSource) -> None:
        """Remove a source; if it is in flight, it is not queued again."""
        key = str(source.id)
        self._sources.discard(key)
        self._unpolled.discard(key)
        self._remaining_in_pass.discard(key)
        self._failures.pop(key, None)
        self._tickets.pop(key, None)

    def pop(self, now: float) -> DataSource | None:
        """Return the source to poll next, which is in flight from then on; None if no source is due."""
        due = [queue for queue in (self._active, self._quiet) if queue.due <= now]
        is_step = self._next_step <= now and (not due or self._polls_since_step >= STEP_INTERVAL)
        if not due and not is_step:
            return None
        self._polls_since_step = 0 if is_step else self._polls_since_step + 1
        if len(due) > 1:
            self._saturated_polls += 1
        queue = self._catch_up if is_step else due[-1 if self._saturated_polls % QUIET_SHARE == 0 else 0]
        source = queue.pop()
        key = str(source.id)
        del self._tickets[key]
        self.in_flight[key] = now
        if is_step:
            self._steps_in_flight.add(key)
        return source

    def is_step(self, source: DataSource) -> bool:
        """Return whether the poll in flight of a source is a step of its catch-up."""
        return str(source.id) in self._steps_in_flight

    @property
    def _next_step(self) -> float:
        """The time at which the next step is due; infinity while the maximum is in flight."""
        return self._catch_up.due if len(self._steps_in_flight) < self._max_steps else float("inf")

    def complete(self, source: DataSource, outcome: PollOutcome, now: float) -> None:
        """Queue a source after its poll. The interval counts from the start of the poll, a back-off from its end."""
        key = str(source.id)
        started = self.in_flight.pop(key)
        self._steps_in_flight.discard(key)
        if key not in self._sources:
            return
        self._tickets[key] = next(self._ticket_numbers)
        self._unpolled.discard(key)
        self._remaining_in_pass.discard(key)
        self._has_succeeded |= outcome.succeeded
        if outcome.succeeded:
            self._failures.pop(key, None)
            due = max(now, started + (self._intervals.active if outcome.active else self._intervals.idle))
        else:
            self._failures[key] = self._failures.get(key, 0) + 1
            due = now + self._backoff(self._failures[key])
        (self._active if outcome.active else self._quiet).put(due, source)
        if outcome.succeeded and not outcome.active and outcome.fires_in is not None:
            self._active.put(now + outcome.fires_in + self._intervals.active, source)
        if outcome.succeeded and outcome.is_behind:
            self._catch_up.put(now, source)

    def end_pass(self) -> bool:
        """Return whether every source has been polled since the last pass ended; if so, start the next pass."""
        if self._remaining_in_pass or not self._sources:
            return False
        self._remaining_in_pass = set(self._sources)
        return True

    def next_delay(self, now: float) -> float | None:
        """Return the seconds until a source is due; None if no source waits."""
        due = min(self._active.due, self._quiet.due, self._next_step)
        return None if due == float("inf") else max(0.0, due - now)

    def lag(self, now: float) -> float:
        """Return the seconds by which the most overdue source is late."""
        return max(0.0, now - min(self._active.due, self._quiet.due))

    @property
    def unpolled(self) -> int:
        """The number of sources that have not been polled yet."""
        return len(self._unpolled)

    @property
    def unready(self) -> str | None:
        """The reason why the first pass has not ended; None once it has."""
        return f"{self.unpolled} data sources not polled yet" if self._unpolled else None

    @property
    def has_succeeded(self) -> bool:
        """Whether any poll has succeeded."""
        return self._has_succeeded

    def _backoff(self, failures: int) -> float:
        # The first retry comes before the next regular poll would. The later ones spare a service that is overloaded.
        delay = min(BACKOFF_CAP, self._intervals.active / 4 * 2.0 ** min(failures - 1, 30))
        return delay * self._random.uniform(0.5, 1.0)
