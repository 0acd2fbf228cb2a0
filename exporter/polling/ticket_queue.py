"""Queues inside the poll queue. An entry becomes invalid when its source gets another ticket."""

from __future__ import annotations

import heapq
import math
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from exporter.domain.model import DataSource

CATCH_UP_SHARE = 0.25  # the largest share of the workers that run steps of catch-ups
STEP_INTERVAL = 40  # while other polls are due, one in this many is a step of a catch-up
_MAX_INVALID = 64  # invalid entries that a queue may hold in addition to two for each source


class TicketQueue:
    """The sources of one kind by due time. An entry is valid while its ticket is the source's current one."""

    def __init__(self, tickets: Mapping[str, int]) -> None:
        """Start empty; `tickets` has the current ticket of each waiting source, and all queues share it."""
        self._tickets = tickets
        self._entries: list[tuple[float, int, DataSource]] = []

    def put(self, due: float, source: DataSource) -> None:
        """Add an entry with the source's current ticket."""
        if len(self._entries) > 2 * len(self._tickets) + _MAX_INVALID:
            # An invalid entry may be due in weeks. Without this, such entries would accumulate until then.
            self._entries = [entry for entry in self._entries if self._is_valid(entry)]
            heapq.heapify(self._entries)
        heapq.heappush(self._entries, (due, self._tickets[str(source.id)], source))

    def pop(self) -> DataSource:
        """Remove and return the source that is due first."""
        return heapq.heappop(self._entries)[2]

    @property
    def due(self) -> float:
        """The time at which the first source is due; infinity without sources."""
        while self._entries and not self._is_valid(self._entries[0]):
            heapq.heappop(self._entries)
        return self._entries[0][0] if self._entries else math.inf

    def due_times(self) -> dict[str, float]:
        """Return when each source is due."""
        return {str(entry[2].id): entry[0] for entry in self._entries if self._is_valid(entry)}

    def make_due(self, now: float, spacing: float) -> float:
        """Make the sources due, `spacing` apart, unless they are due earlier; return the next such time."""
        valid = sorted(filter(self._is_valid, self._entries), key=itemgetter(0, 1))
        # The list is still sorted, and a sorted list is a heap.
        self._entries = [
            (min(due, now + place * spacing), ticket, source) for place, (due, ticket, source) in enumerate(valid)
        ]
        return now + len(valid) * spacing

    def make_first_due(self, now: float, excluded: Container[str]) -> bool:
        """Make the first source that is not excluded due, unless it is due already; return False if there is none."""
        others = [each for each in self._entries if self._is_valid(each) and str(each[2].id) not in excluded]
        if not others:
            return False
        due, _, source = min(others, key=itemgetter(0, 1))
        if due > now:
            self.put(now, source)
        return True

    def bring_forward(
        self, now: float, share: float, earliest: Callable[[str], float], excluded: Container[str]
    ) -> dict[str, float]:
        """Multiply the time until each source is due by `share`; return when each source is due.

        Excluded sources, and those that are due already, do not change. No source becomes due before `earliest`.
        """

        def moved(due: float, source: DataSource) -> float:
            key = str(source.id)
            if due <= now or key in excluded:
                return due
            return min(due, max(now + (due - now) * share, earliest(key)))

        self._entries = [(moved(due, source), ticket, source) for due, ticket, source in self._entries]
        heapq.heapify(self._entries)
        return self.due_times()

    def _is_valid(self, entry: tuple[float, int, DataSource]) -> bool:
        _, ticket, source = entry
        return self._tickets.get(str(source.id)) == ticket


class StepQueue(TicketQueue):
    """The sources that are behind, each due for the next step of its catch-up.

    A step takes several requests, and a catch-up may have thousands of steps. So at most CATCH_UP_SHARE of the workers
    run steps at the same time, and while other polls are due, only every STEP_INTERVAL-th poll is a step.
    """

    def __init__(self, tickets: Mapping[str, int], workers: int) -> None:
        super().__init__(tickets)
        self._max_in_flight = max(1, int(workers * CATCH_UP_SHARE))
        self._polls_since_step = 0
        self.in_flight: set[str] = set()
        """The sources whose poll in flight is a step."""

    @property
    def due(self) -> float:
        """The time at which the next step is due; infinity while the maximum is in flight."""
        return super().due if len(self.in_flight) < self._max_in_flight else math.inf

    def is_next(self, now: float, *, other_polls: bool) -> bool:
        """Return whether the next poll is a step; `other_polls` is whether other polls are due."""
        is_next = self.due <= now and (not other_polls or self._polls_since_step >= STEP_INTERVAL)
        self._polls_since_step = 0 if is_next else self._polls_since_step + other_polls
        return is_next

    def pop(self) -> DataSource:
        """Remove and return the source that is due first, and record its step as in flight."""
        source = super().pop()
        self.in_flight.add(str(source.id))
        return source
