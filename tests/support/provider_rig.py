"""A provider of any service in front of its simulated API over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.aws import AwsClient
from exporter.config import PollingConfig, parse_target
from exporter.domain.model import SourceId
from exporter.domain.service import ArnScope, Service, Use
from exporter.providers.bedrock.provider import Bedrock
from exporter.providers.bedrock.service import BEDROCK
from exporter.providers.kendra.provider import Kendra
from exporter.providers.kendra.service import KENDRA
from exporter.providers.qbusiness.provider import QBusiness
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import System
from exporter.simulator import bedrock, kendra
from exporter.simulator.bedrock_jobs import wire_id
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.qbusiness import SECRET_MARKER, QBusinessApi
from exporter.simulator.server import SimulatedEndpoint
from tests.support.builders import NOON
from tests.support.manual_clock import ManualClock
from tests.support.simulated_target import RecordingObserver, timeout_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.domain.model import SyncJob
    from exporter.providers import Provider

JOBS = 25
SCOPE = ArnScope("aws", "us-east-1", "111122223333")


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
    """A service, its provider and its simulated API, with the type of an index and of a data source."""

    service: Service
    make_provider: Callable[[Any], Provider]
    make_api: Callable[..., Any]
    index_type: str
    source_types: tuple[str, str]
    """The type in the simulator, and the type that the provider returns."""
    secret: str
    statuses: tuple[str, str] = ("ACTIVE", "ACTIVE")
    """The statuses of a healthy container and of a healthy data source."""
    documents: int | None = 992
    """The number of documents of a container; None if the service does not report it."""
    extreme_id: str = "Z" * 36
    page_sizes: Mapping[str, int] = field(default_factory=dict)
    """The largest pages of operations in the simulator, so that the jobs of the rig take several pages."""
    refused_by_sdk: tuple[str, ...] = ()
    """Faults of single members for which the whole response is refused: the service has integers, and no texts."""
    shapes: ApiShapes = field(default_factory=ApiShapes)
    wire_id: Callable[[str], str] = str
    """Returns an id in the form of the service."""

    def __str__(self) -> str:
        """Return the name of the service, which selects it on pytest's command line."""
        return self.service.name


CASES = (
    ServiceCase(QBUSINESS, QBusiness, QBusinessApi, "ENTERPRISE", ("SHAREPOINTV2", "SHAREPOINTV2"), SECRET_MARKER),
    ServiceCase(
        KENDRA,
        Kendra,
        kendra.KendraApi,
        "ENTERPRISE_EDITION",
        ("TEMPLATE:CONFLUENCEV2", "CONFLUENCEV2"),
        kendra.SECRET_MARKER,
        extreme_id="a_b-" * 25,
        shapes=ApiShapes(container_type="IndexEdition"),
    ),
    ServiceCase(
        BEDROCK,
        Bedrock,
        bedrock.BedrockApi,
        "MANAGED",
        ("MANAGED:SHAREPOINT", "SHAREPOINT"),
        bedrock.SECRET_MARKER,
        statuses=("ACTIVE", "AVAILABLE"),
        documents=None,
        extreme_id="zZ09zZ09zZ",
        page_sizes={"ListIngestionJobs": 10},
        refused_by_sdk=("figures_in_words", "fractional_figures"),
        shapes=ApiShapes(
            container_status="KnowledgeBaseStatus",
            container_type="KnowledgeBaseType",
            container_sizes="",
            error_code="",
            job="IngestionJobSummary",
            job_counts="IngestionJobStatistics",
            schedule=("dataSource", "dataSourceConfiguration", "managedKnowledgeBaseConnectorConfiguration"),
        ),
        wire_id=wire_id,
    ),
)


class ProviderRig:
    """The provider of a service, with one data source that has 25 ended jobs. `kind` decides the timeout."""

    def __init__(self, case: ServiceCase, kind: str = "", source_id: str = "", order: str = "newest") -> None:
        jobs = [
            PlannedJob(case.wire_id(make_id(n)), NOON - n * 600 - 100, 30, 30, documents={"added": n})
            for n in range(JOBS)
        ]
        self.case = case
        self.clock = ManualClock(NOON)
        self.source = SimulatedDataSource("hr", case.source_types[0], jobs=jobs, id=source_id, tags={"team": "hr"})
        self.index = SimulatedIndex("main", [self.source], kind=case.index_type, tags={"team": "hr"})
        application = SimulatedApplication("intranet", [self.index])
        self.endpoint = SimulatedEndpoint(Fleet([application]), self.clock, case.make_api, order=order)
        self.endpoint.api.page_sizes = case.page_sizes
        self.observer = RecordingObserver()
        config = parse_target({"service": case.service.name, "region": "us-east-1", "endpoint_url": self.endpoint.url})
        polling = PollingConfig.model_validate({"timeout": timeout_for(kind)})
        self._client = AwsClient(config, polling, self.observer, System())
        self.provider = case.make_provider(self._client)
        path = map(case.wire_id, (application.id, self.index.id, self.source.id)[-len(case.service.levels) :])
        self.id = SourceId(case.service, tuple(path))

    def read_jobs(self, **filters: Any) -> list[SyncJob]:
        """Return the jobs of all pages."""
        return [job for page in self.provider.sync_jobs(self.id, **filters) for job in page.jobs]

    def explained(self, jobs: Iterable[SyncJob]) -> list[SyncJob]:
        """Return jobs with their outcomes."""
        return [self.provider.explain(self.id, job) if job.needs_explanation else job for job in jobs]

    def calls(self) -> dict[str, Callable[[], object]]:
        """Return a call of each action that the exporter uses, by its name. No response is in a cache."""
        provider, container = self.case.make_provider(self._client), self.id.container
        calls: dict[str, Callable[[], object]] = {}
        by_use: dict[Use, Callable[[], object]] = {
            Use.CONTAINER_NAME: lambda: provider.container_name(self.id.root),
            Use.CONTAINER: lambda: provider.container(container),
            Use.LIST_SOURCES: lambda: provider.data_sources(container),
            Use.SOURCE: lambda: provider.data_source(self.id),
            Use.SYNC_JOBS: self.read_jobs,
            Use.SYNC_JOB: lambda: provider.explain(self.id, self.read_jobs()[0]),
            Use.TAGS: lambda: provider.tags(self.id, SCOPE),
            Use.DOCUMENTS: lambda: provider.documents(self.id),
        }
        for permission in self.case.service.permissions:
            listing = partial(provider.containers, self.id.root if permission.depth else None)
            calls[permission.action] = by_use.get(permission.use, listing)
        return calls
