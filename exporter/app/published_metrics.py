"""The rendered metrics of all services: each service has its own caches, because its families have its prefix."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from exporter.metrics import ContainerFamilies
from exporter.target.container_publisher import ContainerPublisher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.domain.service import Service
    from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot
    from exporter.exposition import ExpositionCache
    from exporter.metrics import SourceFamilies
    from exporter.runtime import Clock, ServiceClock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _AllSnapshots(Generic[T]):
    """The snapshots of one kind in several caches."""

    caches: tuple[ExpositionCache[T], ...]

    def snapshots(self) -> Sequence[tuple[T, ServiceClock]]:
        """Return all snapshots, each with the clock of its service."""
        return list(chain.from_iterable(cache.snapshots() for cache in self.caches))


class PublishedMetrics:
    """The exposition caches of the services. A cache without snapshots exposes nothing."""

    def __init__(
        self,
        families: Mapping[Service, SourceFamilies],
        make_cache: Callable[[Any, Clock], ExpositionCache[Any]],
        clock: Clock,
    ) -> None:
        """Create the caches of each service."""
        self._sources: dict[Service, ExpositionCache[SourceSnapshot]] = {
            service: make_cache(each, clock) for service, each in families.items()
        }
        self._containers: dict[Service, ExpositionCache[ContainerSnapshot]] = {
            service: make_cache(ContainerFamilies(service, each.filter), clock) for service, each in families.items()
        }
        self._publishers = {service: ContainerPublisher(cache) for service, cache in self._containers.items()}

    @property
    def caches(self) -> tuple[ExpositionCache[Any], ...]:
        """All caches, in the order of the exposition."""
        return tuple(
            cache for service, sources in self._sources.items() for cache in (sources, self._containers[service])
        )

    @property
    def all_sources(self) -> _AllSnapshots[SourceSnapshot]:
        """The published data sources of all services."""
        return _AllSnapshots(tuple(self._sources.values()))

    @property
    def all_containers(self) -> _AllSnapshots[ContainerSnapshot]:
        """The published containers of all services."""
        return _AllSnapshots(tuple(self._containers.values()))

    def sources(self, service: Service) -> ExpositionCache[SourceSnapshot]:
        """Return the cache of a service's data sources."""
        return self._sources[service]

    def containers(self, service: Service) -> ContainerPublisher:
        """Return the publisher of a service's containers."""
        return self._publishers[service]

    def use_families(self, families: Mapping[Service, SourceFamilies]) -> None:
        """Render all data sources and containers by other declarations."""
        for service, each in families.items():
            self._sources[service].use_families(each)
            self._containers[service].use_families(ContainerFamilies(service, each.filter))
