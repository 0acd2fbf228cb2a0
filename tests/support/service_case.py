"""A service in the tests of all providers. Each is declared in `tests/providers/NAME/case.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from exporter.providers.registry import make_provider
from exporter.simulator.apis import traits_of
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.domain.service import Service
    from exporter.providers import Provider
    from exporter.simulator.job import PlannedJob


@dataclass(frozen=True)
class ApiShapes:
    """The names of shapes in botocore's description of a service; empty for one that the service does not have."""

    container_status: str = "IndexStatus"
    container_type: str = "IndexType"
    container_sizes: str = "TextDocumentStatistics"
    error_code: str = "ErrorCode"
    job: str = "DataSourceSyncJob"
    job_counts: str = "DataSourceSyncJobMetrics"
    schedule: tuple[str, ...] = ()
    """The path to the structure with the schedule, from the response about a data source."""


@dataclass(frozen=True)
class ServiceCase:
    """A service with the type of a data source, and what else its API has in its own form."""

    service: Service
    source_types: tuple[str, str]
    """The type in the simulator, and the type that the provider returns."""
    secret: str
    healthy_source: tuple[str, str]
    """A data source of the demo that never fails: the name of its outermost container, and its own."""
    statuses: tuple[str, str] = ("ACTIVE", "ACTIVE")
    """The statuses of a healthy container and of a healthy data source."""
    documents: int | None = 992
    """The number of documents of a container; None if the service does not report it."""
    extreme_id: str = "Z" * 36
    page_sizes: Mapping[str, int] = field(default_factory=dict)
    """The largest pages of operations in the simulator, so that the jobs of the rig take several pages."""
    absent_faults: tuple[str, ...] = ()
    """Faults of members that the sync jobs of the service do not have."""
    has_arns: bool = True
    """Whether responses have ARNs. Otherwise, the account id is known from AWS STS only."""
    has_tag_lists: bool = True
    """Whether the tags of a resource are a list, and not an object."""
    shapes: ApiShapes = field(default_factory=ApiShapes)

    @property
    def index_type(self) -> str:
        """The type of a container."""
        return traits_of(self.service.name).index_kind

    @property
    def make_api(self) -> Callable[..., Any]:
        """The class of the simulated API."""
        return traits_of(self.service.name).make_api

    def make_provider(self, client: Any) -> Provider:
        """Return the provider in front of a client."""
        return make_provider(self.service, client)

    def fleet(self, *sources: SimulatedDataSource) -> Fleet:
        """Return a fleet with data sources in one container."""
        index = SimulatedIndex("main", list(sources), kind=self.index_type)
        return Fleet([SimulatedApplication("intranet", [index])])

    def source(self, name: str, *jobs: PlannedJob) -> SimulatedDataSource:
        """Return a data source of the usual type."""
        return SimulatedDataSource(name, self.source_types[0], jobs=list(jobs))

    def wire_id(self, identifier: str) -> str:
        """Return an id in the form of the service."""
        return traits_of(self.service.name).wire_id(identifier)

    def __str__(self) -> str:
        """Return the name of the service, which selects it on pytest's command line."""
        return self.service.name


@cache
def case_of(service: str) -> ServiceCase:
    """Return the declaration of the service with a name."""
    case: ServiceCase = import_module(f"tests.providers.{service}.case").CASE
    return case
