"""The context that the poller and the reconciler of one target share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from exporter.domain.counting.source_history import SourceHistory
    from exporter.domain.documents import DocumentsByStatus
    from exporter.domain.model import Location
    from exporter.domain.service import Service
    from exporter.domain.snapshots import SavedSource
    from exporter.providers import Provider
    from exporter.runtime import Clock
    from exporter.target.display_names import DisplayNames
    from exporter.target.location import TargetLocation
    from exporter.target.publisher import SnapshotPublisher


class StateStore(Protocol):
    """Keeps the state of data sources across restarts, as `Store` does."""

    def batch(self) -> AbstractContextManager[None]:
        """Write the changes of this thread at the end of the block."""

    def history(self, key: str) -> SourceHistory | None:
        """Return a source's history."""

    def exposed_until(self, key: str) -> float | None:
        """Return the time of the last poll of a source that this process has exposed and lost; None without one."""

    def commit(self, histories: Mapping[str, SourceHistory]) -> None:
        """Write histories, by source."""

    def save_poll_times(self, times: Mapping[str, float]) -> None:
        """Save the time of the last successful poll, by source."""

    def attempted_at(self, key: str) -> float | None:
        """Return when a process last began its first poll of a source, on the host's clock."""

    def save_attempt(self, key: str, moment: float) -> None:
        """Save when this process begins its first poll of a source."""

    def saved_sources(self, target: str, location: Location | None) -> list[SavedSource]:
        """Return the sources of a location, or of the target with a name, as they were last found."""

    def save_source(self, key: str, saved: SavedSource) -> None:
        """Save a source as it was found."""

    def remove_source(self, key: str) -> None:
        """Delete a source and the count of its documents."""

    def documents(self, key: str) -> DocumentsByStatus | None:
        """Return the last complete count of a source's documents."""

    def save_documents(self, key: str, documents: DocumentsByStatus) -> None:
        """Save a complete count of a source's documents."""

    def watched_since(self, identity: str) -> float | None:
        """Return when a target was first watched, on AWS's clock."""

    def save_watched_since(self, identity: str, moment: float) -> None:
        """Save when a target was first watched."""


@dataclass(frozen=True, slots=True)
class TargetContext:
    """The name and the AWS service of a target, and the parts that its polls and discovery runs use."""

    target: str
    service: Service
    provider: Provider
    store: StateStore
    names: DisplayNames
    clock: Clock
    location: TargetLocation
    publisher: SnapshotPublisher
