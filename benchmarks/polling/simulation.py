"""The real agenda, pace, poller and fold on virtual time: hours pass in seconds, and nothing sleeps."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from exporter.aws.rate_limiter import AdaptiveRate
from exporter.domain.history import CountingPolicy, newly_ended
from exporter.domain.model import DataSource, Description
from exporter.polling.poller import Poller
from exporter.polling.queue import Intervals, PollQueue
from exporter.polling.watched_sources import WatchedSources
from exporter.providers import JobPage
from exporter.runtime import System
from exporter.store import MEMORY, Store
from exporter.target.context import CredentialStatus, TargetContext
from exporter.target.display_names import DisplayNames
from exporter.target.location import TargetLocation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.polling.organisation import Source
    from exporter.domain.model import IndexId, SourceId, SyncJob
    from exporter.domain.snapshots import IndexSnapshot, SourceSnapshot
    from exporter.domain.source_history import SourceHistory
    from exporter.errors import Reason

PAGE = 10
LATENCY = 0.08  # seconds that an answer takes
WORKERS = 8
DISCOVERY = 900.0
DAY = 86400.0


@dataclass(slots=True)
class BenchmarkClock:
    """Everybody's time: AWS's, the host's, and the one that never steps."""

    at: float

    def now(self) -> float:
        """Give seconds since the epoch."""
        return self.at

    monotonic = time = now

    def note(self, _date: str) -> float:
        """Learn nothing."""
        return self.at


@dataclass(slots=True)
class Service:
    """Amazon Q Business, as far as polls ask it; each request waits for its moment."""

    clock: Any
    pace: AdaptiveRate
    sources: Mapping[SourceId, Source]
    polls: Counter[int] = field(default_factory=Counter)
    listings: Counter[int] = field(default_factory=Counter)

    def ask(self) -> None:
        """Send one request of a poll and wait for its answer."""
        self._send(self.polls)

    def list(self) -> None:
        """Send one request of discovery and wait for its answer."""
        self._send(self.listings)

    def _send(self, counts: Counter[int]) -> None:
        moment = self.pace.reserve(self.clock.at)
        counts[int(moment // 60)] += 1
        self.clock.at = moment + LATENCY

    def sync_jobs(
        self, source: SourceId, *, since: float | None = None, status: str | None = None
    ) -> Iterator[JobPage]:
        """Yield pages, newest first; the filter goes by a job's start."""
        self.ask()
        now = self.clock.at
        jobs = (life.at(now) for life in self.sources[source].begun(now) if since is None or life.started >= since)
        found = [job for job in jobs if status in {None, job.status}]
        for at in range(0, max(1, len(found)), PAGE):
            if at:
                self.ask()
            yield JobPage(tuple(found[at : at + PAGE]), self.clock.at, has_more=at + PAGE < len(found))

    def data_source(self, source: SourceId) -> Description:
        """Give the schedule."""
        self.ask()
        return Description("", "S3", "ACTIVE", updated=1.0, schedule=self.sources[source].schedule)


@dataclass(slots=True)
class StateStore:
    """What is remembered, and when each job's end was counted."""

    clock: BenchmarkClock
    counted: dict[str, float] = field(default_factory=dict)
    _histories: dict[str, SourceHistory] = field(default_factory=dict)

    def history(self, key: str) -> SourceHistory | None:
        """Give a history."""
        return self._histories.get(key)

    def commit(self, histories: Mapping[str, SourceHistory]) -> None:
        """Take note of what was counted."""
        for key, history in histories.items():
            before = self._histories.get(key)
            if before is not history:
                self._histories[key] = history
                for job in newly_ended(before, history):
                    self.counted[job.execution_id] = self.clock.at

    def save_source(self, key: str, known: object) -> None:
        """Forget it."""


class Nobody:
    """Whom polls report to."""

    def polled(self) -> None:
        """Let it go."""

    def failed(self, reason: Reason) -> None:
        """Fail: nothing may go wrong here."""
        raise AssertionError(reason)

    def ended(self, job: SyncJob) -> None:
        """Let it go."""

    def publish_source(self, snapshot: SourceSnapshot) -> None:
        """Drop it: rendering is measured elsewhere."""

    def remove_source(self, source: SourceId) -> None:
        """Never happens here."""

    def publish_index(self, snapshot: IndexSnapshot) -> None:
        """Never happens here."""

    def remove_index(self, index: IndexId) -> None:
        """Never happens here."""


class Simulation:
    """One target from its start on."""

    def __init__(self, sources: list[Source], start: float, requests_per_second: float) -> None:
        self.clock = BenchmarkClock(start)
        self.store = StateStore(self.clock)
        self.service = Service(
            self.clock, AdaptiveRate(requests_per_second, start), {source.id: source for source in sources}
        )
        self.queue = PollQueue(Intervals(60.0, 300.0), 1 / requests_per_second, random.Random(1))  # noqa: S311 (jitter)
        store: Any = self.store
        provider: Any = self.service
        kept = Store(MEMORY, lambda: None)
        context = TargetContext(
            target="simulated",
            provider=provider,
            store=store,
            names=DisplayNames(kept, System()),
            credentials=CredentialStatus("simulated"),
            clock=self.clock,
            location=TargetLocation("simulated", "us-east-1", kept),
            publisher=Nobody(),
        )
        policy = CountingPolicy(DAY, (60.0, 3600.0))
        watched = WatchedSources(context, policy)
        self._poller = Poller(context, watched, Nobody(), policy)
        self._events: list[tuple[float, int, Any]] = []
        self._order = count()
        self._idle = WORKERS
        for source in sources:
            data_source = DataSource("simulated", source.id, "application", source.kind)
            watched.watch(data_source, since=start)
            self.queue.add(data_source, start)
        size = len(sources)
        # Applications of 50 sources, indexes of 25: their lists, the indexes' figures, and pages of ten sources.
        self._listing = 1 + -(-size // 50) + 2 * -(-size // 25) + -(-size // PAGE)
        self._at(start, self._discover)

    def run(self, until: float) -> None:
        """Let time pass."""
        now = self.clock.at
        while now < until:
            while self._idle and (source := self.queue.pop(now)) is not None:
                self._begin(source, now)
            due = self.queue.next_delay(now) if self._idle else None
            moments = [until, self._events[0][0] if self._events else until]
            now = min([*moments, now + due] if due is not None else moments)
            while self._events and self._events[0][0] <= now:
                _, _, happen = heapq.heappop(self._events)
                happen(now)
        self.clock.at = until

    def _at(self, moment: float, happen: Any) -> None:  # noqa: ANN401 (a function of the time)
        heapq.heappush(self._events, (moment, next(self._order), happen))

    def _begin(self, source: DataSource, now: float) -> None:
        self._idle -= 1
        self.clock.at = now
        outcome = self._poller.poll(source)
        ended = self.clock.at

        def complete(moment: float) -> None:
            self._idle += 1
            self.queue.complete(source, outcome, moment)

        self._at(ended, complete)

    def _discover(self, now: float, left: int | None = None, began: float | None = None) -> None:
        """Send a round's requests one after the other, as one thread does."""
        began, left = began or now, self._listing if left is None else left
        if not left:
            self._at(max(now, began + DISCOVERY), self._discover)
            return
        self.clock.at = now
        self.service.list()
        self._at(self.clock.at, lambda moment: self._discover(moment, left - 1, began))
