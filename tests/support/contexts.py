"""The context of a target for tests of the poller and the reconciler, with a publisher that records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.providers.qbusiness.service import QBUSINESS
from exporter.target.context import TargetContext
from exporter.target.display_names import DisplayNames
from exporter.target.location import TargetLocation

if TYPE_CHECKING:
    from exporter.domain.model import ContainerId, SourceId
    from exporter.domain.service import Service
    from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot
    from exporter.target.publisher import SnapshotPublisher


class RecordingPublisher:
    """Records published snapshots; it can be made to fail."""

    def __init__(self) -> None:
        self.sources: list[SourceSnapshot] = []
        self.indexes: dict[ContainerId, ContainerSnapshot] = {}
        self.removed: list[SourceId] = []
        self.error: Exception | None = None

    def publish_source(self, snapshot: SourceSnapshot) -> None:
        """Record the snapshot, or fail."""
        if self.error:
            raise self.error
        self.sources.append(snapshot)

    def remove_source(self, source: SourceId) -> None:
        """Record the removal."""
        self.removed.append(source)

    def publish_container(self, snapshot: ContainerSnapshot) -> None:
        """Record the snapshot."""
        self.indexes[snapshot.id] = snapshot

    def remove_container(self, index: ContainerId) -> None:
        """Drop the index."""
        del self.indexes[index]


def make_context(  # noqa: PLR0913, PLR0917 (what a test may vary)
    provider: Any,
    store: Any,
    clock: Any,
    publisher: SnapshotPublisher | None = None,
    target: str = "production",
    service: Service = QBUSINESS,
) -> TargetContext:
    """Build the context of a target whose account is not known yet."""
    return TargetContext(
        target=target,
        service=service,
        provider=provider,
        store=store,
        names=DisplayNames(store, clock),
        clock=clock,
        location=TargetLocation(target, service.name, "us-east-1", store),
        publisher=publisher or RecordingPublisher(),
    )
