"""A provider of any service in front of its simulated API over HTTP."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.aws import AwsClient
from exporter.config import PollingConfig, parse_target
from exporter.domain.model import SourceId
from exporter.domain.service import ArnScope, Use
from exporter.providers.registry import SERVICES
from exporter.runtime import System
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.builders import NOON
from tests.support.manual_clock import ManualClock
from tests.support.service_case import case_of
from tests.support.simulated_target import RecordingObserver, timeout_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.domain.model import SyncJob
    from tests.support.service_case import ServiceCase

JOBS = 25
SCOPE = ArnScope("aws", "us-east-1", "111122223333")


CASES: tuple[ServiceCase, ...] = tuple(map(case_of, SERVICES))


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
        return [self.provider.explain(self.id, job, []) if job.needs_explanation else job for job in jobs]

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
            Use.SYNC_JOB: lambda: provider.explain(self.id, self.read_jobs()[0], []),
            Use.TAGS: lambda: provider.tags(self.id, SCOPE),
            Use.DOCUMENTS: lambda: provider.documents(self.id),
        }
        for permission in self.case.service.permissions:
            listing = partial(provider.containers, self.id.root if permission.depth else None)
            calls[permission.action] = by_use.get(permission.use, listing)
        return calls
