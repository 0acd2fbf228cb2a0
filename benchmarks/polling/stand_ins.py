"""Stand-ins for the parts of a target that the simulation does not measure: clock, service, state and observer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.domain.clock_check import ClockReading
from exporter.domain.counting.history import newly_ended
from exporter.domain.model import Description
from exporter.domain.units import MINUTE
from exporter.providers import JobPage
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.store.table_store import TableStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.polling.fleet import FleetSource
    from exporter.aws.rate_limiter import AdaptiveRate
    from exporter.domain.counting.source_history import SourceHistory
    from exporter.domain.model import ContainerId, DataSource, SourceId, SyncJob
    from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot
    from exporter.errors import Reason

LATENCY = 0.08  # seconds from a request to its response


@dataclass(slots=True)
class SteppedClock:
    """One time for AWS, the host and intervals, which only the simulation changes."""

    at: float

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self.at

    monotonic = time = host_time = now

    def read(self) -> ClockReading:
        """Return the time."""
        return ClockReading(self.at, 0.0)


@dataclass(slots=True)
class VirtualService:
    """The part of Amazon Q Business that polls use. Each request waits for the rate limiter."""

    clock: SteppedClock
    rate: AdaptiveRate
    sources: Mapping[SourceId, FleetSource]
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
class CountingStore:
    """State in memory, with the time when each job was counted."""

    clock: SteppedClock
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
        """Return None, because no benchmark counts documents."""

    def exposed_until(self, key: str) -> None:
        """Return None, because no other process takes over."""

    def save_attempt(self, key: str, moment: float) -> None:
        """Ignore the first poll of a source, because no benchmark restarts."""

    def save_source(self, key: str, saved: object) -> None:
        """Ignore how a source was found."""


class UnwrittenStore(TableStore):
    """State in memory only."""

    def _write(self, *, wait: bool) -> None:
        """Write nothing."""


class SilentObserver:
    """Observes polls and receives snapshots, and keeps nothing."""

    def began(self, source: DataSource) -> None:
        """Ignore it."""

    def polled(self) -> None:
        """Ignore a successful poll."""

    def failed(self, reason: Reason) -> None:
        """Raise AssertionError, because no poll fails in this benchmark."""
        raise AssertionError(reason)

    def ended(self, job: SyncJob) -> None:
        """Ignore the end of a job."""

    def publish_source(self, snapshot: SourceSnapshot) -> None:
        """Ignore a snapshot, because another benchmark measures rendering."""

    def remove_source(self, source: SourceId) -> None:
        """Ignore a removed source."""

    def publish_container(self, snapshot: ContainerSnapshot) -> None:
        """Ignore a snapshot of an index."""

    def remove_container(self, index: ContainerId) -> None:
        """Ignore a removed index."""
