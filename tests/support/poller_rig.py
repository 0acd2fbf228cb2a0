"""A poller with a provider whose responses a test sets, and a publisher and an observer that record."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.model import Description
from exporter.polling.poller import Poller
from exporter.polling.watched_sources import WatchedSources
from exporter.providers import JobPage, Listing
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import AwsClock
from tests.support.builders import NOON, POLICY, FakeClock, make_source
from tests.support.contexts import RecordingPublisher, make_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.domain.model import ContainerFacts, ContainerId, DataSource, SourceId, SyncJob
    from exporter.domain.service import ArnScope
    from exporter.domain.snapshots import SourceSnapshot
    from exporter.errors import ProviderError, Reason
    from exporter.store.table_store import TableStore


class FakeProvider:
    """A provider whose responses a test sets."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = AwsClock(clock)
        self.jobs: list[SyncJob] = []
        self.now = NOON
        self.error: BaseException | None = None
        self.name_error: ProviderError | None = None
        self.requests: list[str] = []
        self.warnings: tuple[str, ...] = ()
        self.after_page: Callable[[], None] = lambda: None
        self.description = Description("", "S3", "ACTIVE", created=NOON, updated=1.0, schedule="cron(0 3 * * ? *)")

    def sync_jobs(
        self,
        source: SourceId,  # noqa: ARG002 (the protocol's)
        *,
        since: float | None = None,
        until: float | None = None,
        status: str | None = None,
    ) -> Iterator[JobPage]:
        """Yield the jobs of a range in the order of `jobs`."""
        self.requests.append(f"jobs since {since} status {status}")
        if self.error:
            raise self.error
        jobs = tuple(job for job in self.jobs if (since or 0.0) <= job.started <= (until or math.inf))
        found = jobs if status is None else tuple(job for job in jobs if job.status == status)
        for at in range(0, max(1, len(found)), QBUSINESS.page_size):
            page = found[at : at + QBUSINESS.page_size]
            yield JobPage(page, self.now, has_more=at + QBUSINESS.page_size < len(found), warnings=self.warnings)
            self.after_page()

    def container_name(self, container: ContainerId) -> str:
        """Return a name that contains the id."""
        self.requests.append("application")
        if self.name_error:
            raise self.name_error
        return f"name-of-{container.own[:3]}"

    def data_source(self, source: SourceId) -> Description:
        """Return the description, with a name that contains the id."""
        self.requests.append("data source")
        if self.name_error:
            raise self.name_error
        return replace(self.description, name=f"name-of-{source.data_source_id[:3]}")

    def containers(self, parent: ContainerId | None) -> Listing[str]:
        """Raise: polls do not use this operation."""
        raise NotImplementedError

    def container(self, container: ContainerId) -> ContainerFacts:
        """Raise: polls do not use this operation."""
        raise NotImplementedError

    def data_sources(self, container: ContainerId) -> Listing[Description]:
        """Raise: polls do not use this operation."""
        raise NotImplementedError

    def tags(self, source: SourceId, scope: ArnScope) -> dict[str, str]:
        """Raise: polls do not use this operation."""
        raise NotImplementedError


class RecordingPollObserver:
    """Records the reports of a poller."""

    def __init__(self) -> None:
        self.polls = 0
        self.failures: list[Reason] = []
        self.ended_jobs: list[str] = []

    def began(self, source: DataSource) -> None:
        """Ignore it."""

    def polled(self) -> None:
        """Count the poll."""
        self.polls += 1

    def failed(self, reason: Reason) -> None:
        """Record the reason."""
        self.failures.append(reason)
        assert self.polls >= len(self.failures), "more failures than polls"

    def ended(self, job: SyncJob) -> None:
        """Record the id of the job."""
        self.ended_jobs.append(job.execution_id)


class PollerRig:
    """A poller of one source, with the objects that it uses."""

    def __init__(self, clock: FakeClock, store: TableStore, window: float = POLICY.window) -> None:
        self._clock = clock
        self.provider = FakeProvider(clock)
        self.observer = RecordingPollObserver()
        self.store = store
        self.source = make_source()
        self.publisher = RecordingPublisher()
        self.context = make_context(self.provider, self.store, clock, self.publisher)
        self.use_window(window)
        self.sources.watch(self.source)

    def use_window(self, window: float) -> None:
        """Replace the poller by one with another window, which watches no source."""
        policy = replace(POLICY, window=window)
        self.sources = WatchedSources(self.context, policy)
        self.poller = Poller(self.context, self.sources, self.observer, policy)

    def advance(self, seconds: float) -> None:
        """Advance the clocks of the host and of AWS."""
        self._clock.advance(seconds)
        self.provider.now += seconds

    def poll(self) -> SourceSnapshot | None:
        """Poll once, and return the last snapshot that was published."""
        self.poller.poll(self.source)
        return self.publisher.sources[-1] if self.publisher.sources else None
