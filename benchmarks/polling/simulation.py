"""The exporter's own queue, rate limiter, poller and job counting on virtual time, where a day takes seconds."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from exporter.aws.rate_limiter import AdaptiveRate
from exporter.domain.clock_check import ClockReading
from exporter.domain.counting_policy import CountingPolicy
from exporter.domain.history import newly_ended
from exporter.domain.model import DataSource, Description
from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.polling.poller import Poller
from exporter.polling.queue import PollQueue
from exporter.polling.queue_entry import Intervals
from exporter.polling.watched_sources import WatchedSources
from exporter.providers import JobPage
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import System
from exporter.store import MEMORY, Store
from exporter.target.context import TargetContext
from exporter.target.display_names import DisplayNames
from exporter.target.location import TargetLocation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.polling.fleet import Source
    from exporter.domain.model import ContainerId, SourceId, SyncJob
    from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot
    from exporter.domain.source_history import SourceHistory
    from exporter.errors import Reason

LATENCY = 0.08  # seconds from a request to its response
WORKERS = 8
INTERVALS, INTERVALS_WITH_EVENTS = Intervals(MINUTE, 5 * MINUTE), Intervals(MINUTE, 30 * MINUTE)  # the defaults
DISCOVERY_INTERVAL = 15 * MINUTE
SOURCES_PER_APPLICATION, SOURCES_PER_INDEX = 50, 25


@dataclass(slots=True)
class VirtualClock:
    """One time for AWS, the host and intervals, which only the simulation changes."""

    at: float

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self.at

    monotonic = time = host_time = now

    def read(self) -> ClockReading:
        """Return the time."""
        return ClockReading(self.at, 0.0)

    def note(self, _date: str) -> float:
        """Ignore the date of a response, and return the time."""
        return self.at


@dataclass(slots=True)
class SimulatedService:
    """The part of Amazon Q Business that polls use. Each request waits for the rate limiter."""

    clock: VirtualClock
    rate: AdaptiveRate
    sources: Mapping[SourceId, Source]
    polls: Counter[int] = field(default_factory=Counter)
    """The requests of polls in each minute."""
    listings: Counter[int] = field(default_factory=Counter)
    """The requests of discovery in each minute."""

    def send_discovery_request(self) -> None:
        """Send one request of discovery and wait for its response."""
        self._send(self.listings)

    def sync_jobs(
        self,
        source: SourceId,
        *,
        since: float | None = None,
        until: float | None = None,
        status: str | None = None,
    ) -> Iterator[JobPage]:
        """Yield the pages of a listing, newest first. `since` and `until` are compared with the start of a job."""
        self._send(self.polls)
        now = self.clock.at
        since, until = since or 0.0, until or now
        listed = [job.at(now) for job in self.sources[source].started_jobs(now) if since <= job.started <= until]
        found = [job for job in listed if status in {None, job.status}]
        for at in range(0, max(1, len(found)), QBUSINESS.page_size):
            if at:
                self._send(self.polls)
            yield JobPage(
                tuple(found[at : at + QBUSINESS.page_size]),
                self.clock.at,
                has_more=at + QBUSINESS.page_size < len(found),
            )

    def data_source(self, source: SourceId) -> Description:
        """Return the description with the schedule."""
        self._send(self.polls)
        return Description("", "S3", "ACTIVE", updated=1.0, schedule=self.sources[source].schedule)

    def _send(self, counts: Counter[int]) -> None:
        sent = self.rate.reserve(self.clock.at)
        counts[int(sent // MINUTE)] += 1
        self.clock.at = sent + LATENCY


@dataclass(slots=True)
class StateStore:
    """State in memory, with the time when each job was counted."""

    clock: VirtualClock
    counted: dict[str, float] = field(default_factory=dict)
    _histories: dict[str, SourceHistory] = field(default_factory=dict)

    def history(self, key: str) -> SourceHistory | None:
        """Return the history of a source."""
        return self._histories.get(key)

    def commit(self, histories: Mapping[str, SourceHistory]) -> None:
        """Store histories, and record the jobs that they count for the first time."""
        for key, history in histories.items():
            before = self._histories.get(key)
            if before is not history:
                self._histories[key] = history
                for job in newly_ended(before, history):
                    self.counted[job.execution_id] = self.clock.at

    def documents(self, key: str) -> None:
        """Return nothing: no benchmark counts documents."""

    def save_attempt(self, key: str, moment: float) -> None:
        """Ignore the first poll of a source: no benchmark restarts."""

    def save_source(self, key: str, saved: object) -> None:
        """Ignore how a source was found."""


class SilentObserver:
    """Observes polls and receives snapshots, and keeps nothing."""

    def polled(self) -> None:
        """Ignore a successful poll."""

    def failed(self, reason: Reason) -> None:
        """Raise AssertionError: no poll fails in this benchmark."""
        raise AssertionError(reason)

    def ended(self, job: SyncJob) -> None:
        """Ignore the end of a job."""

    def publish_source(self, snapshot: SourceSnapshot) -> None:
        """Ignore a snapshot: another benchmark measures rendering."""

    def remove_source(self, source: SourceId) -> None:
        """Ignore a source that is removed."""

    def publish_container(self, snapshot: ContainerSnapshot) -> None:
        """Ignore a snapshot of an index."""

    def remove_container(self, index: ContainerId) -> None:
        """Ignore an index that is removed."""


class Simulation:
    """One target, from its start."""

    def __init__(
        self, fleet: list[Source], start: float, requests_per_second: float, event_delay: float | None = None
    ) -> None:
        """Start the target; with `event_delay`, the event of a manual sync arrives this many seconds later."""
        self.clock = VirtualClock(start)
        self.store = StateStore(self.clock)
        rate = AdaptiveRate(requests_per_second, start)
        self.service = SimulatedService(self.clock, rate, {source.id: source for source in fleet})
        intervals = INTERVALS if event_delay is None else INTERVALS_WITH_EVENTS
        self.queue = PollQueue(intervals, 1 / requests_per_second, random.Random(1))  # noqa: S311 (jitter)
        policy = CountingPolicy(DAY, (MINUTE, HOUR), QBUSINESS.error_codes)
        context = self._context()
        watched = WatchedSources(context, policy)
        self._poller = Poller(context, watched, SilentObserver(), policy)
        self._events: list[tuple[float, int, Any]] = []
        self._order = count()
        self._idle_workers = WORKERS
        for source in fleet:
            data_source = DataSource("simulated", source.id, "application", source.kind)
            watched.watch(data_source, since=ClockReading(start))
            self.queue.add(data_source, start)
            if event_delay is not None and not source.schedule:
                self._schedule_hints(data_source, [job.started + event_delay for job in source.jobs])
        self._discovery_requests = _discovery_requests(len(fleet))
        self._schedule(start, self._discover)

    def run(self, until: float) -> None:
        """Run all polls and discovery until a time."""
        now = self.clock.at
        while now < until:
            while self._idle_workers and (source := self.queue.pop(now)) is not None:
                self._poll(source, now)
            delay = self.queue.next_delay(now) if self._idle_workers else None
            times = [until, self._events[0][0] if self._events else until]
            now = min([*times, now + delay] if delay is not None else times)
            while self._events and self._events[0][0] <= now:
                _, _, handle = heapq.heappop(self._events)
                handle(now)
        self.clock.at = until

    def _context(self) -> TargetContext:
        store: Any = self.store
        provider: Any = self.service
        saved = Store(MEMORY, lambda: None)  # of names and the location, which polls do not change here
        return TargetContext(
            target="simulated",
            service=QBUSINESS,
            provider=provider,
            store=store,
            names=DisplayNames(saved, System()),
            clock=self.clock,
            location=TargetLocation("simulated", "qbusiness", "us-east-1", saved),
            publisher=SilentObserver(),
        )

    def _schedule_hints(self, source: DataSource, times: list[float]) -> None:
        for time in times:
            if time >= self.clock.at:
                self._schedule(time, partial(self.queue.hint, source))

    def _schedule(self, time: float, handle: Any) -> None:  # noqa: ANN401 (a function of the time)
        heapq.heappush(self._events, (time, next(self._order), handle))

    def _poll(self, source: DataSource, now: float) -> None:
        """Poll with one worker, which is idle again at the time of the last response."""
        self._idle_workers -= 1
        self.clock.at = now
        outcome = self._poller.poll(source)

        def complete(ended: float) -> None:
            self._idle_workers += 1
            self.queue.complete(source, outcome, ended)

        self._schedule(self.clock.at, complete)

    def _discover(self, now: float, left: int | None = None, started: float | None = None) -> None:
        """Send the requests of a discovery run one after the other, as its thread does."""
        started, left = started or now, self._discovery_requests if left is None else left
        if not left:
            self._schedule(max(now, started + DISCOVERY_INTERVAL), self._discover)
            return
        self.clock.at = now
        self.service.send_discovery_request()
        self._schedule(self.clock.at, lambda time: self._discover(time, left - 1, started))


def _discovery_requests(size: int) -> int:
    """Return the requests of a discovery run: listings, one GetIndex per index, and pages of data sources."""
    applications, indexes = -(-size // SOURCES_PER_APPLICATION), -(-size // SOURCES_PER_INDEX)
    return 1 + applications + 2 * indexes + -(-size // QBUSINESS.page_size)
