"""The responses of an account's service, with which the invariants compare the page."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.domain.units import HOUR
from simulation.oracle import MAX_POLL

if TYPE_CHECKING:
    from exporter.simulator.fleet import Fleet, SimulatedIndex
    from simulation.services import ServiceTraits
    from simulation.virtual_clock import VirtualClock

MAX_FIRST_POLL = HOUR  # the longest duration of a data source's first poll, in seconds
MAX_RESPONSE = 30.0  # the longest duration of a response, in seconds
UNKNOWN_AFTER = HOUR  # after which an outcome that could not be read counts as unknown
IndexFacts = tuple[int | str, ...]  # the status, the sizes, and the limits, as on the page


@dataclass(slots=True)
class SourceRecord:
    """The responses about one data source, and the time until which they may be wrong.

    `usable` are the times of the usable responses. `stale` is the maximum age of the data in the first poll. A job is
    reread for hours, but not forever. So durations or documents that are wrong during that time are never corrected,
    and outcomes stay unknown that the service refuses to return, or that could not be read for an hour.
    """

    usable: list[float] = field(default_factory=list)
    first_poll: float | None = None
    stale: float = 0.0
    wrong_until: float = float("-inf")
    durations_lost: bool = False
    documents_lost: bool = False
    outcomes_lost: bool = False
    outcomes_failing_since: float | None = None

    def has_usable_near(self, moment: float, tolerance: float) -> bool:
        """Return whether there was a usable response within `tolerance` seconds of a time."""
        at = bisect_left(self.usable, moment - tolerance)
        return at < len(self.usable) and self.usable[at] <= moment + tolerance

    def read_by(self, moment: float) -> float:
        """Return when a poll that began after a time has certainly ended, because a later poll has begun."""
        began = bisect_right(self.usable, moment + MAX_POLL)
        later = bisect_right(self.usable, self.usable[began] + MAX_POLL) if began < len(self.usable) else began
        return self.usable[later] if later < len(self.usable) else math.inf


class ResponseLog:
    """The responses of a service, by data source and by index."""

    def __init__(self, traits: ServiceTraits, fleet: Fleet, clock: VirtualClock) -> None:
        self._capacity = traits.simulated.capacity
        self._fleet = fleet
        self._clock = clock
        self.sources: dict[str, SourceRecord] = defaultdict(SourceRecord)
        self.times_wrong_until = float("-inf")
        """The latest time that may have been recorded by a wrong clock of the service."""
        self._stale_periods: list[tuple[float, float]] = []
        self._index_facts: dict[str, list[tuple[float, IndexFacts]]] = defaultdict(list)
        self._index_responses: dict[str, list[float]] = defaultdict(list)
        self.record_indexes()

    def record_sync_jobs(self, source_id: str) -> None:
        """Record a usable response with the sync jobs of a data source."""
        insort(self.sources[source_id].usable, self._clock.now)

    def record_outcome(self, source_id: str, code: str, *, is_usable: bool) -> None:
        """Record the result of a request for the outcome of a sync job."""
        record = self.sources[source_id]
        if is_usable:
            record.outcomes_failing_since = None
            return
        if record.outcomes_failing_since is None:
            record.outcomes_failing_since = self._clock.now
        record.outcomes_lost |= code.startswith("4") or self._clock.now - record.outcomes_failing_since >= UNKNOWN_AFTER

    def record_index(self, index_id: str) -> None:
        """Record a usable response that describes an index."""
        self._index_responses[index_id].append(self._clock.now)

    def record_first_poll(self, source_id: str) -> None:
        """Record that the state file has the first poll of a data source."""
        record, now = self.sources[source_id], self._clock.now
        record.first_poll = now
        periods = (seconds for until, seconds in self._stale_periods if now < until + MAX_FIRST_POLL)
        record.stale = max(periods, default=0.0)

    def record_stale_period(self, seconds: float, until: float) -> None:
        """Record that until a time, responses may have data from some seconds ago."""
        self._stale_periods.append((until, seconds))

    def distrust(
        self, source_id: str | None, until: float, *, about_ends: bool = False, about_documents: bool = False
    ) -> None:
        """Record that responses about one data source, or about all, may be wrong until a time."""
        for name in [source_id] if source_id else [source.id for _, _, source in self._fleet.data_sources()]:
            record = self.sources[name]
            record.wrong_until = max(record.wrong_until, until)
            record.durations_lost |= about_ends
            record.documents_lost |= about_documents

    def distrust_times(self, latest: float) -> None:
        """Record that a wrong clock of the service may cause recorded times up to `latest`."""
        self.times_wrong_until = latest

    def all_read_since(self, moment: float) -> bool:
        """Return whether a poll of each data source has begun since a time, and has ended."""
        return all(self.sources[source.id].read_by(moment) < math.inf for _, _, source in self._fleet.data_sources())

    def all_polled_since(self) -> float | None:
        """Return the time by which every data source was polled once; None if one was not."""
        moments = [self.sources[source.id].first_poll for _, _, source in self._fleet.data_sources()]
        if None in moments:
            return None
        return max((moment for moment in moments if moment), default=self._clock.started)

    def record_indexes(self) -> None:
        """Record the properties of the indexes from now on."""
        for application in self._fleet.applications:
            for index in application.indexes:
                self._index_facts[index.id].append((self._clock.now, self._facts(index)))

    def _facts(self, index: SimulatedIndex) -> IndexFacts:
        if self._capacity is None:
            return (index.status,)
        sizes = (index.documents, index.text_bytes, index.units)
        return (index.status, *sizes, *self._capacity.limits(index.units))

    def has_index(self, index_id: str) -> bool:
        """Return whether an index belongs to this account."""
        return index_id in self._index_facts

    def returned_index_facts(self, index_id: str, since: float) -> set[IndexFacts]:
        """Return the facts in the last response before a time, and in all responses after it."""
        responses, facts = self._index_responses[index_id], self._index_facts[index_id]
        ends = [moment for moment, _ in facts[1:]] + [float("inf")]
        returned: set[IndexFacts] = set()
        for responded in responses[max(0, bisect_left(responses, since) - 1) :]:
            returned |= {
                known
                for (begins, known), end in zip(facts, ends, strict=True)
                if begins <= responded and end >= responded - MAX_RESPONSE
            }
        return returned
