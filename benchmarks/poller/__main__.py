"""Compares the CPU times of polls and of a discovery run with those of bare calls of boto3.

`python -m benchmarks.poller [--profile]`; without `--profile`, the results are written into benchmarks/README.md. The
two alternate, and send the same requests over HTTP to a simulated service in a separate process.
"""

from __future__ import annotations

import cProfile
import logging
import os
import pstats
import statistics
import sys
import time
from typing import TYPE_CHECKING

import structlog

from benchmarks.poller.discovery import SOURCES, discovery_runs
from benchmarks.poller.rig import IDLE, KINDS, make_rig
from benchmarks.poller.services import bare_call, simulated_service
from benchmarks.report import environment, table, write_section
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.poller.rig import AddedJobs
    from exporter.domain.model import SourceId

REPETITIONS, POLLS = 15, 20
RUNS = 3  # of discovery, in each repetition
COLUMNS = ("service", "work", "exporter, CPU", "bare calls, CPU", "ratio")


def cpu_of(call: Callable[[], object], calls: int = POLLS) -> float:
    """Return the CPU time of a call in milliseconds."""
    started = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - started) / calls * 1000


def main(arguments: list[str]) -> int:
    """Measure, print the results, and write them into the page unless they are profiled."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if "--profile" in arguments:
        with simulated_service(DEFAULT_SERVICE.name) as (url, ids):
            print_profile(make_rig(url, ids, KINDS[IDLE]).poll)
        return 0
    discovery = [DEFAULT_SERVICE.title, f"discovery run over {SOURCES} data sources", *_cells(measure_discovery())]
    rows = [*(row for name in SERVICES for row in rows_of(name)), discovery]
    results = f"{environment()}\n\n{table(COLUMNS, rows)}"
    print(results)
    write_section("poller", results)
    return 0


def kinds_of(name: str) -> dict[str, AddedJobs]:
    """Return the kinds of polls of a service: all for the default one, and the idle ones for the others.

    The processing of the jobs of a poll does not depend on the service.
    """
    return KINDS if SERVICES[name] is DEFAULT_SERVICE else {IDLE: KINDS[IDLE]}


def rows_of(name: str) -> list[list[str]]:
    """Return the rows of a service."""
    with simulated_service(name) as (url, ids):
        title = ids.service.title
        return [[title, f"{kind} poll", *_cells(measure(url, ids, added))] for kind, added in kinds_of(name).items()]


def measure(url: str, ids: SourceId, added: AddedJobs, repetitions: int = REPETITIONS) -> list[tuple[float, float]]:
    """Return pairs of the CPU times of a poll and of a bare call, in milliseconds.

    Each pair has its own rig, because the history of a data source grows with its ended jobs.
    """
    pairs = []
    for _ in range(repetitions):
        rig = make_rig(url, ids, added)
        bare = bare_call(ids.service, url, rig.request)
        bare()  # loads the models of the SDK
        pairs.append((cpu_of(rig.poll), cpu_of(bare)))
    return pairs


def measure_discovery(repetitions: int = REPETITIONS) -> list[tuple[float, float]]:
    """Return pairs of the CPU times of a discovery run and of the bare calls, in milliseconds."""
    with discovery_runs() as (run, bare):
        bare()  # loads the models of the SDK
        return [(cpu_of(run, RUNS), cpu_of(bare, RUNS)) for _ in range(repetitions)]


def print_profile(poll: Callable[[], object]) -> None:
    """Print the functions in which polls spend most time."""
    with cProfile.Profile() as profile:
        cpu_of(poll)
    pstats.Stats(profile).sort_stats("cumulative").print_stats(70)


def _cells(pairs: list[tuple[float, float]]) -> list[str]:
    """Return the medians of both times, and the median ratio of the pairs."""
    polls, bares = zip(*pairs, strict=True)
    ratio = statistics.median(poll / bare for poll, bare in pairs)
    return [f"{statistics.median(polls):.2f} ms", f"{statistics.median(bares):.2f} ms", f"{ratio:.2f}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
