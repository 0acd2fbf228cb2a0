"""The exporter's queue, rate limiter, poller and job counting on virtual time, so that a day takes seconds."""

from __future__ import annotations

import heapq
import random
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from benchmarks.polling.stand_ins import CountingStore, SilentObserver, SteppedClock, UnwrittenStore, VirtualService
from exporter.aws.rate_limiter import AdaptiveRate
from exporter.domain.clock_check import ClockReading
from exporter.domain.counting.counting_policy import CountingPolicy
from exporter.domain.model import DataSource
from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.polling.poller import Poller
from exporter.polling.queue import PollQueue
from exporter.polling.queue_entry import Intervals
from exporter.polling.watched_sources import WatchedSources
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import System
from exporter.target.context import TargetContext
from exporter.target.display_names import DisplayNames
from exporter.target.location import TargetLocation

if TYPE_CHECKING:
    from benchmarks.polling.fleet import FleetSource

WORKERS = 8
INTERVALS, INTERVALS_WITH_EVENTS = Intervals(MINUTE, 5 * MINUTE), Intervals(MINUTE, 30 * MINUTE)  # the defaults
DISCOVERY_INTERVAL = 15 * MINUTE
SOURCES_PER_APPLICATION, SOURCES_PER_INDEX = 50, 25


class Simulation:
    """One target, from its start."""

    def __init__(
        self, fleet: list[FleetSource], start: float, requests_per_second: float, event_delay: float | None = None
    ) -> None:
        """Start the target; with `event_delay`, the event of a manual sync arrives this many seconds later."""
        self.clock = SteppedClock(start)
        self.store = CountingStore(self.clock)
        rate = AdaptiveRate(requests_per_second, start)
        self.service = VirtualService(self.clock, rate, {source.id: source for source in fleet})
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
        saved = UnwrittenStore()  # for names and the location, which polls do not change
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
