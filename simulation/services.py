"""A service in a simulated week: its ids, words and operations, and the traits of its simulator."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.domain.service import Use
from exporter.providers.registry import SERVICES
from exporter.simulator.apis import traits_of
from exporter.simulator.fleet import make_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.domain.service import Service
    from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
    from exporter.simulator.traits import SimulatorTraits

# The uses of operations that faults select, except for sync jobs, in the order of the random choice.
FAULTY_USES = (
    Use.LIST_CONTAINERS,
    Use.CONTAINER,
    Use.LIST_SOURCES,
    Use.SOURCE,
    Use.SYNC_JOB,
    Use.CONTAINER_NAME,
    Use.TAGS,
)


@dataclass(frozen=True, eq=False, slots=True)
class ServiceTraits:
    """A service and the traits of its simulator."""

    service: Service
    simulated: SimulatorTraits

    def make_id(self, *parts: object) -> str:
        """Return an id in the form of the service, which is always the same for the same parts."""
        return self.simulated.wire_id(make_id(*parts))

    def make_api(self, fleet: Fleet, **listing: str) -> Any:
        """Return the API of the service over a fleet."""
        return self.simulated.make_api(fleet, **listing)

    @property
    def sync_jobs(self) -> str:
        """The operation that lists sync jobs."""
        return self.service.action(Use.SYNC_JOBS)

    @property
    def fault_operations(self) -> tuple[str, ...]:
        """The operations that faults select."""
        permissions = self.service.permissions
        return tuple(each.action for use in FAULTY_USES for each in permissions if each.use is use)

    def roots(self, fleet: Fleet) -> Sequence[SimulatedApplication | SimulatedIndex]:
        """Return the outermost containers of a fleet: applications, or indexes if the service has no applications."""
        indexes = [index for application in fleet.applications for index in application.indexes]
        return fleet.applications if len(self.service.containers) > 1 else indexes

    def root_name(self, application: SimulatedApplication, index: SimulatedIndex) -> str:
        """Return the name of the outermost container of an index, which may be the index itself."""
        return application.name if len(self.service.containers) > 1 else index.name

    def ids(
        self, application: SimulatedApplication, index: SimulatedIndex, source: SimulatedDataSource
    ) -> dict[str, str]:
        """Return the ids that name a data source in a configuration."""
        path = (application.id, index.id, source.id)[-len(self.service.levels) :]
        return {level.key: identifier for level, identifier in zip(self.service.levels, path, strict=True)}

    def key(self, application: SimulatedApplication, index: SimulatedIndex, source: SimulatedDataSource) -> str:
        """Return the key of a data source in the state."""
        return self.service.key_prefix + "/".join(self.ids(application, index, source).values())


ALL = {name: ServiceTraits(service, traits_of(name)) for name, service in SERVICES.items()}
QBUSINESS = ALL["qbusiness"]


def traits_for(seed: int, name: str | None = None) -> ServiceTraits:
    """Return the service with a name, or the one of a seed."""
    # It has its own random numbers, so that the week is the same if the service is chosen by name.
    dice = random.Random(f"{seed} service")  # noqa: S311 (a simulation that repeats)
    return ALL[name] if name else dice.choice(list(ALL.values()))
