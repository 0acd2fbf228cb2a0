"""The interface through which the write half publishes complete snapshots to the read half."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from exporter.domain.model import ContainerId, SourceId
    from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot
    from exporter.exposition import ExpositionCache
    from exporter.runtime import ServiceClock
    from exporter.target.container_publisher import ContainerPublisher
    from exporter.target.reporting_gate import ReportingGate


class SnapshotPublisher(Protocol):
    """Publishes the complete snapshots of the poller and the reconciler."""

    def publish_source(self, snapshot: SourceSnapshot) -> None:
        """Replace the series of a data source."""

    def remove_source(self, source: SourceId) -> None:
        """Remove a data source from everything that is exposed."""

    def publish_container(self, snapshot: ContainerSnapshot) -> None:
        """Replace the series of an index."""

    def remove_container(self, index: ContainerId) -> None:
        """Remove an index from everything that is exposed."""


class CachePublisher:
    """Publishes the snapshots of one target, each with the clock of its service.

    It has no effect after the gate of the target was closed.
    """

    def __init__(
        self,
        sources: ExpositionCache[SourceSnapshot],
        indexes: ContainerPublisher,
        clock: ServiceClock,
        gate: ReportingGate,
    ) -> None:
        self._sources = sources
        self._indexes = indexes
        self._clock = clock
        self._gate = gate

    def publish_source(self, snapshot: SourceSnapshot) -> None:
        """Replace the series of a data source."""
        self._gate.report(self._sources.put, str(snapshot.source.id), snapshot, self._clock)
        self._gate.report(self._indexes.put_source, snapshot)

    def remove_source(self, source: SourceId) -> None:
        """Remove a data source from everything that is exposed."""
        self._gate.report(self._sources.remove, str(source))
        self._gate.report(self._indexes.remove_source, source)

    def publish_container(self, snapshot: ContainerSnapshot) -> None:
        """Replace the series of an index."""
        self._gate.report(self._indexes.put, snapshot, self._clock)

    def remove_container(self, index: ContainerId) -> None:
        """Remove an index from everything that is exposed."""
        self._gate.report(self._indexes.remove, index)
