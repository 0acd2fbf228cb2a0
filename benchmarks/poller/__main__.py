"""Compares the CPU time of polls with that of a bare call of boto3.

`python -m benchmarks.poller [--profile]`; without `--profile`, the results are written into benchmarks/README.md. The
two alternate, and request the same page over HTTP from a simulated service in a separate process.
"""

from __future__ import annotations

import cProfile
import logging
import multiprocessing
import os
import pstats
import statistics
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import structlog
from botocore.config import Config as BotoConfig

from benchmarks.poller.rig import KINDS, make_rig, no_job
from benchmarks.report import environment, table, write_section
from exporter.domain.model import SourceId
from exporter.domain.units import DAY, HOUR
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.simulator import fleet as simulated
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection as Pipe

    from benchmarks.poller.rig import AddedJobs

REPETITIONS, POLLS = 15, 20
JOBS = 30  # of a data source that syncs daily, in a month
COLUMNS = ("poll", "poll, CPU", "bare call, CPU", "ratio")


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
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with simulated_service() as (url, ids):
        if "--profile" in arguments:
            print_profile(make_rig(url, ids, no_job).poll)
            return 0
        rows = [[kind, *_cells(measure(url, ids, added))] for kind, added in KINDS.items()]
    results = f"{environment()}\n\n{table(COLUMNS, rows)}"
    print(results)
    write_section("poller", results)
    return 0


@contextmanager
def simulated_service() -> Iterator[tuple[str, SourceId]]:
    """Run the simulated service in another process; yield its address and the id of its data source."""
    pipe, remote_end = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=serve, args=(remote_end,))
    server.start()
    url, *ids = pipe.recv()
    try:
        yield url, SourceId(QBUSINESS, tuple(ids))
    finally:
        pipe.send(None)
        server.join()


def measure(url: str, ids: SourceId, added: AddedJobs, repetitions: int = REPETITIONS) -> list[tuple[float, float]]:
    """Return pairs of the CPU times of a poll and of a bare call, in milliseconds.

    Each pair has a rig of its own, because the history of a data source grows with its ended jobs.
    """
    pairs = []
    for _ in range(repetitions):
        rig = make_rig(url, ids, added)
        bare = bare_call(url, ids, rig.since)
        bare()  # loads the models of the SDK
        pairs.append((cpu_of(rig.poll), cpu_of(bare)))
    return pairs


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
