"""A poller with state and exposition, whose data source may change in each poll."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from benchmarks.poller.services import SentRequest
from benchmarks.polling.stand_ins import SilentObserver
from exporter.aws import AwsClient
from exporter.config import PollingConfig, parse_target
from exporter.domain.clock_check import ClockReading
from exporter.domain.counting.counting_policy import CountingPolicy
from exporter.domain.model import DataSource, DocumentCounts, Location, SyncJob
from exporter.domain.service import Use
from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.exposition import ExpositionCache
from exporter.metrics import ContainerFamilies, SourceFamilies
from exporter.polling.poller import Poller
from exporter.polling.watched_sources import WatchedSources
from exporter.providers.registry import make_provider
from exporter.runtime import System
from exporter.store import MEMORY, Store
from exporter.target.container_publisher import ContainerPublisher
from exporter.target.context import TargetContext
from exporter.target.display_names import DisplayNames
from exporter.target.location import TargetLocation
from exporter.target.publisher import CachePublisher
from exporter.target.reporting_gate import ReportingGate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from botocore.model import OperationModel

    from exporter.domain.model import SourceId
    from exporter.domain.service import Service
    from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot
    from exporter.providers import JobPage, Provider

    AddedJobs = Callable[[int, float], tuple[SyncJob, ...]]


def no_job(_number: int, _now: float) -> tuple[SyncJob, ...]:
    """Return the jobs that a poll of an idle data source finds in addition: none."""
    return ()


def growing_job(number: int, now: float) -> tuple[SyncJob, ...]:
    """Return a job in progress, whose document counts grow from poll to poll."""
    return (SyncJob("running", "SYNCING", now // HOUR * HOUR, documents=DocumentCounts(*[number] * 5)),)


def ended_job(number: int, now: float) -> tuple[SyncJob, ...]:
    """Return a job that has ended since the last poll."""
    return (SyncJob(f"ended-{number}", "SUCCEEDED", now - MINUTE, now, DocumentCounts(*[number] * 5)),)


FIRST_POLLS = 10
"""Polls before the measured ones: in some services, the first ones request the outcomes of past jobs."""
IDLE = "idle"
_SENDING = "provide-client-params"  # botocore's event before each request, with its parameters
KINDS: dict[str, AddedJobs] = {IDLE: no_job, "running": growing_job, "ended": ended_job}


class ChangingJobs:
    """A provider that adds jobs to the responses of the simulated service, so that each poll finds a change."""

    def __init__(self, provider: Provider, added: AddedJobs) -> None:
        self._provider = provider
        self._added = added
        self._numbers = count(1)

    def sync_jobs(self, source: SourceId, **filters: Any) -> Iterator[JobPage]:  # noqa: ANN401 (those of the provider)
        """Yield the pages of the service with the added jobs."""
        for page in self._provider.sync_jobs(source, **filters):
            yield replace(page, jobs=(*self._added(next(self._numbers), page.as_of), *page.jobs))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (a method of the provider)
        """Return any other method of the provider."""
        return getattr(self._provider, name)


@dataclass(frozen=True, slots=True)
class PollRig:
    """A complete poll, with state and exposition, and the request that it sends."""

    poll: Callable[[], object]
    request: SentRequest


class SilentRequestObserver(SilentObserver):
    """Observes requests and polls, and records nothing."""

    def acquire(self, operation: str) -> None:
        """Return immediately: there is no rate limit."""

    def finished(self, operation: str, code: str, seconds: float, *, is_usable: bool = True) -> None:
        """Ignore a response."""


def make_rig(url: str, ids: SourceId, added: AddedJobs) -> PollRig:
    """Return the poll of a data source that has been watched for an hour, after its first polls."""
    clock = System()
    service = ids.service
    target = parse_target({"service": service.name, "region": "us-east-1", "endpoint_url": url})
    observer = SilentRequestObserver()
    client = AwsClient(target, PollingConfig(), observer, clock)
    provider: Any = ChangingJobs(make_provider(service, client), added)
    store = Store(MEMORY, lambda: None)
    location = TargetLocation("bench", service.name, "us-east-1", store)
    location.current = Location("111122223333", "us-east-1")
    sources: ExpositionCache[SourceSnapshot] = ExpositionCache(SourceFamilies(service, DAY), clock)
    indexes: ExpositionCache[ContainerSnapshot] = ExpositionCache(ContainerFamilies(service), clock)
    context = TargetContext(
        target="bench",
        service=service,
        provider=provider,
        store=store,
        names=DisplayNames(store, clock),
        clock=clock,
        location=location,
        publisher=CachePublisher(sources, ContainerPublisher(indexes), provider.clock, ReportingGate()),
    )
    policy = CountingPolicy(DAY, (MINUTE, HOUR), service.error_codes)
    watched = WatchedSources(context, policy)
    poller = Poller(context, watched, observer, policy)
    source = DataSource("bench", ids, "intranet", "hr")
    watched.watch(source, ClockReading(time.time() - HOUR, None))
    for _ in range(FIRST_POLLS):
        poller.poll(source)
    watched.describe(source.id, "main", None)
    return PollRig(lambda: poller.poll(source), _request_of(client, service, lambda: poller.poll(source)))


def _request_of(client: AwsClient, service: Service, poll: Callable[[], object]) -> SentRequest:
    """Return the request of a poll; raise RuntimeError if it sends several, to which no single call compares."""
    sent: list[SentRequest] = []

    def record(params: Mapping[str, Any], model: OperationModel, **_: object) -> None:
        sent.append(SentRequest(model.name, dict(params)))

    with client.client_for(service.action(Use.SYNC_JOBS)) as boto_client:
        events = boto_client.meta.events
    events.register(_SENDING, record)
    poll()
    events.unregister(_SENDING, record)
    if len(sent) != 1:
        raise RuntimeError(f"a poll of {service.title} sends {len(sent)} requests instead of one")
    return sent[0]
