"""The protocol of the object that discovery notifies of added, described and removed data sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from exporter.domain.clock_check import ClockReading
    from exporter.domain.model import DataSource, Description
    from exporter.domain.snapshots import SavedSource


class DiscoveryObserver(Protocol):
    """Is notified of the data sources that discovery finds, and decides whether this target polls them."""

    def source_added(self, source: DataSource, since: ClockReading | None, saved: SavedSource | None) -> str | None:
        """Start to watch a source; if another target watches it, return that target.

        Its jobs count from `since`; if that is None, from its first poll.
        """

    def describe(self, source: DataSource, container: str, listed: Description | None) -> None:
        """Record the listed properties of a source, and the resolved name of its container."""

    def source_removed(self, source: DataSource) -> None:
        """Stop watching a source."""

    @property
    def stopping(self) -> bool:
        """Whether the target is stopping."""
