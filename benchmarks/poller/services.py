"""The simulated services in their own process, and the bare calls of boto3 with which polls are compared."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore import xform_name
from botocore.config import Config as BotoConfig

from exporter.domain.model import SourceId
from exporter.domain.units import DAY, HOUR
from exporter.providers.registry import SERVICES
from exporter.simulator import fleet as simulated
from exporter.simulator.apis import api_of, traits_of
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.connection import Connection as Pipe

    from exporter.domain.service import Service

BotoClient = Any  # boto3 creates the classes of its clients
JOBS = 30  # of a data source that syncs daily, in a month


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request that the exporter has sent: its operation, and its parameters as boto3 takes them."""

    operation: str
    parameters: Mapping[str, Any]


@contextmanager
def simulated_service(name: str) -> Iterator[tuple[str, SourceId]]:
    """Run a simulated service in another process; yield its address and the id of its data source."""
    fleet, form, service = _fleet(), traits_of(name).wire_id, SERVICES[name]
    ((application, index, source),) = fleet.data_sources()
    ids = [form(each) for each in (application.id, index.id, source.id)]
    with served(name, fleet) as url:
        yield url, SourceId(service, tuple(ids[-len(service.levels) :]))


@contextmanager
def served(name: str, fleet: simulated.Fleet) -> Iterator[str]:
    """Run a simulated service with a fleet in another process; yield its address."""
    pipe, remote_end = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=_serve, args=(name, fleet, remote_end))
    server.start()
    try:
        yield pipe.recv()
    finally:
        pipe.send(None)
        server.join()


def bare_client(service: Service, url: str) -> BotoClient:
    """Return a client of boto3 for a service at an address."""
    session: Any = boto3.Session()  # the stub accepts names of services only as literals
    return session.client(
        service.client,
        region_name="us-east-1",
        endpoint_url=url,
        config=BotoConfig(retries={"mode": "standard", "total_max_attempts": 3}),
    )


def bare_call(service: Service, url: str, request: SentRequest) -> Callable[[], object]:
    """Return a bare call of boto3 that sends a request of the exporter."""
    call: Callable[..., object] = getattr(bare_client(service, url), xform_name(request.operation))
    return lambda: call(**request.parameters)


def _fleet() -> simulated.Fleet:
    now = time.time()
    jobs = [
        PlannedJob(simulated.make_id(day), now - day * DAY - HOUR, 900, 60, documents={"scanned": 999, "added": 3})
        for day in range(JOBS)
    ]
    index = simulated.SimulatedIndex("main", [simulated.SimulatedDataSource("hr", jobs=jobs)])
    return simulated.Fleet([simulated.SimulatedApplication("intranet", [index])])


def _serve(name: str, fleet: simulated.Fleet, pipe: Pipe) -> None:
    """Run a simulated service until a message arrives."""
    with SimulatedEndpoint(fleet, make_api=api_of(name)) as endpoint:
        pipe.send(endpoint.url)
        pipe.recv()
