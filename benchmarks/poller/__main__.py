"""Compares the CPU time of a poll of a quiet data source with a bare call of boto3.

`python -m benchmarks.poller [--profile]`; without `--profile`, the results are written into benchmarks/README.md. The
two alternate, and request the same page over HTTP from a simulated service in a separate process.
"""

from __future__ import annotations

import cProfile
import multiprocessing
import os
import pstats
import statistics
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config as BotoConfig

from benchmarks.report import environment, table, write_section
from exporter.aws import AwsClient
from exporter.config import PollingConfig, TargetConfig
from exporter.domain.counting_policy import CountingPolicy
from exporter.domain.model import DataSource, Location, SourceId
from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.exposition import ExpositionCache
from exporter.metrics import ContainerFamilies, SourceFamilies
from exporter.polling.poller import Poller
from exporter.polling.watched_sources import WatchedSources
from exporter.polling.watermark import watermark
from exporter.providers.qbusiness.provider import QBusiness
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import System
from exporter.simulator import fleet as simulated
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from exporter.store import MEMORY, Store
from exporter.target.container_publisher import ContainerPublisher
from exporter.target.context import TargetContext
from exporter.target.display_names import DisplayNames
from exporter.target.location import TargetLocation
from exporter.target.publisher import CachePublisher
from exporter.target.reporting_gate import ReportingGate

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection as Pipe

    from exporter.domain.model import SyncJob
    from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot
    from exporter.errors import Reason

REPETITIONS, POLLS = 15, 100
JOBS = 30  # of a data source that syncs daily, in a month
COLUMNS = ("poll, CPU", "bare call, CPU", "ratio")


def serve(pipe: Pipe) -> None:
    """Run the simulated service until a message arrives."""
    now = time.time()
    jobs = [
        PlannedJob(simulated.make_id(day), now - day * DAY - HOUR, 900, 60, documents={"scanned": 999, "added": 3})
        for day in range(JOBS)
    ]
    source = simulated.SimulatedDataSource("hr", schedule="cron(0 3 * * ? *)", jobs=jobs)
    application = simulated.SimulatedApplication("intranet", [simulated.SimulatedIndex("main", [source])])
    with SimulatedQBusiness(simulated.Fleet([application])) as service:
        pipe.send((service.url, application.id, application.indexes[0].id, source.id))
        pipe.recv()


class SilentObserver:
    """Observes requests and polls, and records nothing."""

    def polled(self) -> None:
        """Ignore a successful poll."""

    def failed(self, reason: Reason) -> None:
        """Raise AssertionError: no poll fails in this benchmark."""
        raise AssertionError(reason)

    def ended(self, job: SyncJob) -> None:
        """Ignore the end of a job."""

    def acquire(self, operation: str) -> None:
        """Return at once: there is no rate limit."""

    def finished(self, operation: str, code: str, seconds: float) -> None:
        """Ignore a response."""


def exporter_poll(url: str, ids: SourceId) -> tuple[Callable[[], object], float]:
    """Return a complete poll, with state and exposition, and the time since when it lists jobs."""
    clock = System()
    target = TargetConfig.model_validate({"region": "us-east-1", "endpoint_url": url})
    observer = SilentObserver()
    client = AwsClient(target, PollingConfig(), observer, clock)
    provider, store = QBusiness(client), Store(MEMORY, lambda: None)
    location = TargetLocation("bench", "qbusiness", "us-east-1", store)
    location.current = Location("111122223333", "us-east-1")
    sources: ExpositionCache[SourceSnapshot] = ExpositionCache(SourceFamilies(QBUSINESS, DAY), clock)
    indexes: ExpositionCache[ContainerSnapshot] = ExpositionCache(ContainerFamilies(QBUSINESS), clock)
    context = TargetContext(
        target="bench",
        service=QBUSINESS,
        provider=provider,
        store=store,
        names=DisplayNames(store, clock),
        clock=clock,
        location=location,
        publisher=CachePublisher(sources, ContainerPublisher(indexes), provider.clock, ReportingGate()),
    )
    policy = CountingPolicy(DAY, (MINUTE, HOUR), QBUSINESS.error_codes)
    watched = WatchedSources(context, policy)
    poller = Poller(context, watched, observer, policy)
    source = DataSource("bench", ids, "intranet", "hr")
    watched.watch(source)
    poller.poll(source)
    watched.describe(source.id, "main", None)
    history = store.history(str(ids))
    since = watermark(history) if history else None
    return lambda: poller.poll(source), since or 0.0


def bare_call(url: str, ids: SourceId, since: float) -> Callable[[], object]:
    """Return a bare call of the paginator for the same page."""
    client = boto3.client(
        "qbusiness",
        region_name="us-east-1",
        endpoint_url=url,
        config=BotoConfig(retries={"mode": "standard", "total_max_attempts": 3}),
    )
    paginator = client.get_paginator("list_data_source_sync_jobs")
    names: dict[str, Any] = {
        **dict(zip(("applicationId", "indexId", "dataSourceId"), ids.path, strict=True)),
        "startTime": datetime.fromtimestamp(since, UTC),
    }
    return lambda: list(paginator.paginate(**names, PaginationConfig={"PageSize": 10}))


def cpu_of(call: Callable[[], object]) -> float:
    """Return the CPU time of a call in milliseconds."""
    started = time.process_time()
    for _ in range(POLLS):
        call()
    return (time.process_time() - started) / POLLS * 1000


def main(arguments: list[str]) -> int:
    """Measure, print the results, and write them into the page unless they are profiled."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    pipe, remote_end = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=serve, args=(remote_end,))
    server.start()
    url, *ids = pipe.recv()
    poll, since = exporter_poll(url, SourceId(QBUSINESS, tuple(ids)))
    bare = bare_call(url, SourceId(QBUSINESS, tuple(ids)), since)
    pairs = [(cpu_of(poll), cpu_of(bare)) for _ in range(REPETITIONS)]
    results = f"{environment()}\n\n{table(COLUMNS, [_cells(pairs)])}"
    print(results)
    if "--profile" in arguments:
        print_profile(poll)
    else:
        write_section("poller", results)
    pipe.send(None)
    server.join()
    return 0


def print_profile(poll: Callable[[], object]) -> None:
    """Print the functions in which polls spend most time."""
    with cProfile.Profile() as profile:
        cpu_of(poll)
    pstats.Stats(profile).sort_stats("cumulative").print_stats(70)


def _cells(pairs: list[tuple[float, float]]) -> list[str]:
    """Return the medians of both, and the median of the ratios of pairs."""
    polls, bares = zip(*pairs, strict=True)
    ratio = statistics.median(poll / bare for poll, bare in pairs)
    return [f"{statistics.median(polls):.2f} ms", f"{statistics.median(bares):.2f} ms", f"{ratio:.2f}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
