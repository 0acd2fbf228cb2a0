"""The data sources that discovery has found in a target, and the containers that it publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.domain.snapshots import ContainerSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.discovery.observer import DiscoveryObserver
    from exporter.discovery.tag_cache import TagCache
    from exporter.domain.clock_check import ClockReading
    from exporter.domain.model import ContainerFacts, ContainerId, DataSource, Location, SourceId
    from exporter.domain.snapshots import SavedSource
    from exporter.target.context import TargetContext

logger = structlog.get_logger()


class Inventory:
    """Adds and removes data sources and containers, and notifies the observer and the publisher."""

    def __init__(
        self,
        context: TargetContext,
        observer: DiscoveryObserver,
        tags: TagCache,
        named_containers: Iterable[ContainerId],
    ) -> None:
        """Create an empty inventory; `named_containers` contain sources of the configuration, and stay published."""
        self._context = context
        self._observer = observer
        self._tags = tags
        self._named_containers = frozenset(named_containers)
        self._polled_by: dict[SourceId, str] = {}
        # The saved sources that were not in a listing yet, each with the location for which it was added.
        self._unlisted: dict[SourceId, Location | None] = {}
        self.sources: dict[SourceId, DataSource] = {}
        self.published: dict[ContainerId, ContainerSnapshot] = {}

    def containers(self) -> set[ContainerId]:
        """Return the containers that are published or have a source."""
        return {source.container for source in self.sources} | self.published.keys()

    def add(self, source: DataSource, since: ClockReading | None, saved: SavedSource | None) -> None:
        """Add a source, unless another target polls it."""
        other = self._observer.source_added(source, since, saved)
        if other is None:
            self.sources[source.id] = source
            if saved:
                self._unlisted[source.id] = self._context.location.known
            self._polled_by.pop(source.id, None)
        elif self._polled_by.get(source.id) != other:
            self._polled_by[source.id] = other
            logger.warning(
                "data source found by two targets, polled by one",
                target=self._context.target,
                polled_by=other,
                data_source=source.name,
                data_source_id=source.id.data_source_id,
            )

    def mark_listed(self, source: SourceId) -> None:
        """Record that a listing contains a source."""
        self._unlisted.pop(source, None)

    def remove_unlisted_elsewhere(self) -> None:
        """Remove the saved sources that were added for another location than the current one."""
        location = self._context.location.known
        for source in [source for source, added_for in self._unlisted.items() if added_for not in {None, location}]:
            self.remove(source)

    def remove(self, source: SourceId) -> None:
        """Remove a source."""
        self._unlisted.pop(source, None)
        self._tags.remove(source)
        self._observer.source_removed(self.sources.pop(source))

    def publish_container(self, container: ContainerId, root: str, name: str, facts: ContainerFacts) -> None:
        """Publish a container; `root` is the name of its outermost one."""
        if self._observer.stopping:
            return
        now = self._context.provider.clock.now()
        self.published[container] = ContainerSnapshot(container, root, name, facts, self._context.location.labels, now)
        self._context.publisher.publish_container(self.published[container])

    def adopt_containers(
        self, published: Mapping[ContainerId, ContainerSnapshot], selects: Callable[[ContainerSnapshot], bool]
    ) -> None:
        """Continue with published containers that have a source of this target, or that the filters may match."""
        wanted = self._named_containers | {source.container for source in self.sources}
        self.published |= {
            each: snapshot for each, snapshot in published.items() if each in wanted or selects(snapshot)
        }

    def remove_containers(self, removed: set[ContainerId]) -> None:
        """Remove containers with their sources."""
        for source in [source for source in self.sources if source.container in removed]:
            self.remove(source)
        for container in sorted((self.published.keys() - self._named_containers) & removed, key=str):
            del self.published[container]
            if not self._observer.stopping:
                self._context.publisher.remove_container(container)
