"""What a poll of a quiet source costs in CPU, as a ratio to a bare boto3 paginator call in the same run.

Both ask the same simulated service over HTTP for the same page, by turns; the service runs in a process of its own.
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

from exporter.aws import AwsClient
from exporter.config import PollingConfig, TargetConfig
from exporter.domain.history import CountingPolicy
from exporter.domain.model import DataSource, Location, SourceId
from exporter.exposition import ExpositionCache
from exporter.metrics import IndexFamilies, SourceFamilies
from exporter.polling.lookback import watermark
from exporter.polling.poller import Poller
from exporter.polling.watched_sources import WatchedSources
from exporter.providers.qbusiness.provider import QBusiness
from exporter.runtime import System
from exporter.simulator import fleet as simulated
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from exporter.store import MEMORY, Store
from exporter.target.context import CredentialStatus, TargetContext
from exporter.target.display_names import DisplayNames
from exporter.target.location import TargetLocation
from exporter.target.publisher import CachePublisher

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection as Pipe

    from exporter.domain.model import SyncJob
    from exporter.domain.snapshots import IndexSnapshot, SourceSnapshot
    from exporter.errors import Reason

ROUNDS, POLLS = 15, 100
JOBS = 30  # of the last month, one a day: what a daily source has


def serve(pipe: Pipe) -> None:
    """Run the simulated service until told to stop."""
    now = time.time()
    jobs = [
        PlannedJob(simulated.make_id(day), now - day * 86400 - 3600, 900, 60, documents={"scanned": 999, "added": 3})
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
        """Let it go."""

    def failed(self, reason: Reason) -> None:
        """Fail: nothing may go wrong here."""
        raise AssertionError(reason)

    def ended(self, job: SyncJob) -> None:
        """Let it go."""

    def acquire(self) -> None:
        """Let it pass."""

    def finished(self, operation: str, code: str, seconds: float) -> None:
        """Let it go."""


def our_poll(url: str, ids: SourceId) -> tuple[Callable[[], object], float]:
    """Make the poll as the program does it, store, page and all, and give the time from which it asks."""
    clock = System()
    target = TargetConfig.model_validate({"region": "us-east-1", "endpoint_url": url})
    observer = SilentObserver()
    connection = AwsClient(target, PollingConfig(), observer, clock)
    provider, store = QBusiness(connection), Store(MEMORY, lambda: None)
    location = TargetLocation("bench", "us-east-1", store)
    location.current = Location("111122223333", "us-east-1")
    sources: ExpositionCache[SourceSnapshot] = ExpositionCache(SourceFamilies(86400.0), clock)
    indexes: ExpositionCache[IndexSnapshot] = ExpositionCache(IndexFamilies(), clock)
    context = TargetContext(
        target="bench",
        provider=provider,
        store=store,
        names=DisplayNames(store, clock),
        credentials=CredentialStatus("bench"),
        clock=clock,
        location=location,
        publisher=CachePublisher(sources, indexes, provider.clock),
    )
    policy = CountingPolicy(86400.0, (60.0, 3600.0))
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
    """Make a bare paginator call for the same page."""
    client = boto3.client(
        "qbusiness",
        region_name="us-east-1",
        endpoint_url=url,
        config=BotoConfig(retries={"mode": "standard", "total_max_attempts": 3}),
    )
    paginator = client.get_paginator("list_data_source_sync_jobs")
    names: dict[str, Any] = {
        "applicationId": ids.application_id,
        "indexId": ids.index_id,
        "dataSourceId": ids.data_source_id,
        "startTime": datetime.fromtimestamp(since, UTC),
    }
    return lambda: list(paginator.paginate(**names, PaginationConfig={"PageSize": 10}))


def cpu_of(call: Callable[[], object]) -> float:
    """Give the milliseconds of CPU that a call takes."""
    began = time.process_time()
    for _ in range(POLLS):
        call()
    return (time.process_time() - began) / POLLS * 1000


def main() -> int:
    """Measure, and print a line for benchmarks/README.md."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=serve, args=(theirs,))
    server.start()
    url, *ids = ours.recv()
    poll, since = our_poll(url, SourceId(*ids))
    bare = bare_call(url, SourceId(*ids), since)
    pairs = [(cpu_of(poll), cpu_of(bare)) for _ in range(ROUNDS)]
    if "--profile" in sys.argv:
        with cProfile.Profile() as profile:
            cpu_of(poll)
        pstats.Stats(profile).sort_stats("cumulative").print_stats(70)
    ours.send(None)
    server.join()
    polls, bares = zip(*pairs, strict=True)
    ratio = statistics.median(poll / bare for poll, bare in pairs)
    print(f"poll {statistics.median(polls):.2f} ms, bare {statistics.median(bares):.2f} ms of CPU; ratio {ratio:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
