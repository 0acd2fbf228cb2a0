"""Which data sources a target polls: those that are named, those that discovery finds, and those handed over."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from exporter.app.handover import Handover
from exporter.target.source_log import source_fields

if TYPE_CHECKING:
    from exporter.app.ownership import SourceOwnership
    from exporter.domain.model import DataSource, Description, SourceId
    from exporter.domain.snapshots import SavedSource
    from exporter.polling.poller import Poller
    from exporter.polling.workers import PollWorkers
    from exporter.runtime import Event
    from exporter.target.publisher import SnapshotPublisher

logger = structlog.get_logger()


class SourceAdmission:
    """Starts and ends the polling of data sources; each is polled by one target only."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it connects)
        self,
        target: str,
        poller: Poller,
        workers: PollWorkers,
        ownership: SourceOwnership,
        publisher: SnapshotPublisher,
        stopping: Event,
    ) -> None:
        self._target = target
        self._poller = poller
        self._workers = workers
        self._ownership = ownership
        self._publisher = publisher
        self._stopping = stopping
        self._mutex = threading.Lock()
        self.handovers: dict[SourceId, Handover] = {}
        """What replaced targets left; each entry is taken by the first target that continues with the source."""

    @property
    def stopping(self) -> bool:
        """Whether the target has been told to stop."""
        return self._stopping.is_set()

    def admit(self, source: DataSource, since: float | None, saved: SavedSource | None) -> None:
        """Start to poll a source, from where another target or the state left it.

        Its jobs count from `since` on, if that was before its first poll; `saved` is how it was last found.
        """
        handover = self.handovers.pop(source.id, None)
        if handover is None:
            self._poller.watch(source, since, saved)
        else:
            self._poller.adopt(source, handover.source)
        is_syncing = self._poller.is_syncing(source.id)
        self._workers.add(source, handover.entry if handover else None, is_syncing=is_syncing)

    def source_added(self, source: DataSource, since: float, saved: SavedSource | None) -> str | None:
        """Start to poll a source that discovery found, unless another target does: return the name of that one."""
        with self._mutex:
            if self.stopping:
                return None
            owner = self._ownership.claim(source.id, self._target)
            if owner == self._target:
                self.admit(source, since, saved)
        return owner if owner != self._target else None

    def describe(self, source: DataSource, index: str, listed: Description | None) -> None:
        """Pass the listing of a source on to the poller."""
        self._poller.describe(source, index, listed)

    def source_removed(self, source: DataSource) -> None:
        """Stop polling a source, and remove it from what is exposed."""
        self._workers.remove(source)
        if not self._poller.unwatch(source.id):
            return  # another target has it by now
        self._publisher.remove_source(source.id)
        self._ownership.release(source.id, self._target)
        log_source("data source removed", source)

    def detach(self) -> dict[SourceId, Handover]:
        """Stop exposing every source, and return what other targets may continue with."""
        entries = self._workers.entries()
        with self._mutex:
            states = self._poller.detach()
        return {state.source.id: Handover(state, entries.get(str(state.source.id)), self._target) for state in states}


def log_source(event: str, source: DataSource) -> None:
    """Log an event of a data source."""
    logger.info(event, target=source.target, **source_fields(source))
