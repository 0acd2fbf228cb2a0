"""Measures replicas with 200 targets and 100,000 data sources, and the capacity of one core of PostgreSQL.

`python -m benchmarks.replicas.scale [TARGETS SOURCES] [--write]`, with the number of data sources in each target.
Without a size, or with `--write`, the results are written into benchmarks/README.md. The full size needs 10 GB of
memory.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import structlog

from benchmarks.replicas.scale.capacity import measure_costs
from benchmarks.replicas.scale.fleet import JOBS, SYNCING, ScaleSize
from benchmarks.replicas.scale.measure import measure
from benchmarks.replicas.scale.replica import POLL_RATE
from benchmarks.report import environment, table, write_section
from exporter.domain.counting.history import CHECKPOINT_INTERVAL
from exporter.domain.replicas import BEAT_INTERVAL
from exporter.domain.units import MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.replicas.scale.measure import ScaleResult

FULL = ScaleSize(200, 500)
WRITE = "--write"
MEGABYTE = 1e6
PAPER = ((4, 200), (40, 2_000))  # replicas and targets
USAGE_COLUMNS = ("replica", "targets", "data sources", "memory", "CPU, cores", "slowest scrape")
PAPER_COLUMNS = ("data sources", "targets", "replicas", "a beat", "a data source", "writes / s", "cores")


def main(arguments: list[str]) -> int:
    """Measure, print the results, and write them into the page if no size is given."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    numbers = [int(each) for each in arguments if each != WRITE]
    size = ScaleSize(*numbers) if numbers else FULL
    measured = measure(size)
    results = "\n\n".join([environment(), usages(size, measured), sentences(size, measured), capacity()])
    print(results)
    if not numbers or WRITE in arguments:
        write_section("replicas at scale", results)
    return 0


def usages(size: ScaleSize, measured: ScaleResult) -> str:
    """Return a table with the resources of each replica."""
    rows = [
        [
            str(number),
            str(each.targets),
            f"{each.targets * size.sources:,}",
            f"{each.memory / MEGABYTE:,.0f} MB",
            f"{each.cpu:.2f}",
            f"{each.scrape:.2f} s",
        ]
        for number, each in enumerate(measured.usages, start=1)
    ]
    return table(USAGE_COLUMNS, rows)


def sentences(size: ScaleSize, measured: ScaleResult) -> str:
    """Return sentences with the measurements of the whole cluster."""
    first, take_over, start = measured.first_start, measured.take_over, measured.start
    return "\n".join(
        f"- {sentence}."
        for sentence in (
            f"This run had {size.targets} targets with {size.sources} data sources each",
            f"All data sources have {JOBS} jobs each, and one in {SYNCING} is syncing",
            f"At most {size.targets * POLL_RATE:,.0f} of them are polled in a second, as after a start",
            f"The database has {measured.database_bytes / MEGABYTE:,.0f} MB",
            f"The server runs {measured.work.transactions:.1f} transactions in a second",
            f"It writes {measured.work.log_bytes / 1000:,.0f} kB to its log, and uses {measured.work.cpu:.2f} cores",
            f"Replicas that start together own and expose everything after {first.exposed:.0f} s",
            f"Other programs used {first.others:.1f} processors meanwhile, and {measured.others:.1f} during the polls",
            f"Until then each of them uses {_span(first.cpu)} s of CPU time",
            f"After a kill, all targets of the replica had another owner within {take_over.owned:.0f} s",
            f"All of them were exposed within {take_over.exposed:.0f} s",
            f"The other replicas used {_span(take_over.cpu)} s of CPU time each in these seconds",
            f"Targets of other replicas that moved meanwhile: {take_over.moved}",
            f"Another replica listened {start.listens:.0f} s after its start",
            f"Until then it used {start.listens_cpu:.1f} s of CPU time",
            f"It owned its share after {start.balanced:.0f} s",
            f"Until then it used {start.balanced_cpu:.0f} s of CPU time",
        )
    )


def _span(seconds: Sequence[float]) -> str:
    return f"{min(seconds):.1f} to {max(seconds):.1f}"


def capacity() -> str:
    """Return a table with the CPU time of the server, from the costs of a beat and of a write."""
    rows = []
    for replicas, targets in PAPER:
        sources, costs = targets * FULL.sources, measure_costs(replicas, targets)
        writes = sources * ((1 - 1 / SYNCING) / CHECKPOINT_INTERVAL + 1 / SYNCING / MINUTE)
        cores = (replicas / BEAT_INTERVAL * costs.beat + writes * costs.source) / 1000
        cells = f"{costs.beat:.2f} ms", f"{costs.source:.2f} ms", f"{writes:,.0f}", f"{cores:.2f}"
        rows.append([f"{sources:,}", f"{targets:,}", str(replicas), *cells])
    return table(PAPER_COLUMNS, rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
