"""The data sources that a target polls: from the configuration, from discovery, and from replaced targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.app.handover import Handover
from exporter.target.source_log import source_fields

if TYPE_CHECKING:
    from exporter.app.ownership import SourceOwnership
    from exporter.domain.clock_check import ClockReading
    from exporter.domain.model import DataSource, Description, SourceId
    from exporter.domain.snapshots import SavedSource
    from exporter.polling.watched_sources import WatchedSources
    from exporter.polling.workers import PollWorkers
    from exporter.runtime import Event, Lock
    from exporter.store.table_store import TableStore
    from exporter.target.publisher import SnapshotPublisher

logger = structlog.get_logger()


class SourceAdmission:
    """Starts and ends the polling of data sources; each is polled by one target only."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it connects)
        self,
        target: str,
        sources: WatchedSources,
        workers: PollWorkers,
        ownership: SourceOwnership,
        publisher: SnapshotPublisher,
        store: TableStore,
        stopping: Event,
        mutex: Lock,
    ) -> None:
        self._target = target
        self._store = store
        self._sources = sources
        self._workers = workers
        self._ownership = ownership
        self._publisher = publisher
        self._stopping = stopping
        self._mutex = mutex
        self.handovers: dict[SourceId, Handover] = {}
        """The sources of replaced targets. The first target that continues with a source removes its entry."""

    @property
    def stopping(self) -> bool:
        """Whether the target is stopping."""
        return self._stopping.is_set()

    def admit(self, source: DataSource, since: ClockReading | None, saved: SavedSource | None) -> None:
        """Start to poll a source, from the state of a replaced target or from the saved state.

        Its jobs count from `since` if that is before its first poll. `saved` is the source as it was last found.
        """
        handover = self.handovers.pop(source.id, None)
        if handover is None:
            self._sources.watch(source, since, saved)
        else:
            self._sources.adopt(source, handover.state)
        self._workers.add(
            source,
            handover.entry if handover else None,
            is_syncing=self._sources.is_syncing(source.id),
            poll_age=self._sources.poll_age(source.id),
        )

    def source_added(self, source: DataSource, since: ClockReading | None, saved: SavedSource | None) -> str | None:
        """Start to poll a source that discovery found; if another target polls it, return the name of that target."""
        # `detach` takes the same lock. If it was called before, `stopping` is set; if it is called later, it detaches
        # the source.
        with self._mutex:
            if self.stopping:
                return None
            owner = self._ownership.claim(source.id, self._target)
            if owner == self._target:
                self.admit(source, since, saved)
        return owner if owner != self._target else None

    def hint(self, source: SourceId) -> bool:
        """Poll a source soon; return False if the target does not watch it."""
        state = self._sources.get(source)
        if state is not None:
            self._workers.hint(state.source)
        return state is not None

    def describe(self, source: DataSource, container: str, listed: Description | None) -> None:
        """Store and publish the listed properties of a source."""
        self._sources.describe(source.id, container, listed)

    def source_removed(self, source: DataSource) -> None:
        """Stop polling a source, and remove it from the exposition."""
        self._workers.remove(source)
        with self._mutex:  # so that `detach` finds the source watched, or not exposed
            if not self._sources.unwatch(source.id):
                return  # it was detached, and another target may expose it by now
            self._publisher.remove_source(source.id)
        self._ownership.release(source.id, self._target)
        logger.info("data source removed", **source_fields(source))

    def detach(self) -> dict[SourceId, Handover]:
        """Stop publishing all sources, and return them for other targets to continue with."""
        entries = self._workers.entries()
        with self._mutex:
            states = self._sources.detach()
        return {
            state.source.id: Handover(state, entries.get(str(state.source.id)), self._target, self._store)
            for state in states
        }
