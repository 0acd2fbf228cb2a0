"""Measures the CPU times of a start with saved state, including the first scrape, and of a reload.

`python -m benchmarks.start [SIZE ...]`; without sizes, the results are written into benchmarks/README.md.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.cpu import process_cpu_seconds, reference_seconds
from benchmarks.report import environment, table, write_section
from benchmarks.saved_state import write_state
from benchmarks.scrape.exporter import STILL, exporter
from benchmarks.scrape.scraper import post, scrape

SIZES = (0, 2_500, 10_000)
STARTS = 3
UNREACHABLE = "http://127.0.0.1:9"  # the discard port: nothing listens there
COLUMNS = ("sources", "start", "start / reference", "reload", "reload / reference")


class Cost(NamedTuple):
    """The CPU seconds of a start until the end of the first scrape, and of a reload without changes."""

    start: float
    reload: float


def main(sizes: list[int]) -> int:
    """Measure each size, print the table, and write it into the page if no sizes are given."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    results = f"{environment()}\n\n{table(COLUMNS, [_row(size) for size in sizes or SIZES])}"
    print(results)
    if not sizes:
        write_section("start", results)
    return 0


def _row(size: int) -> list[str]:
    reference, cost = reference_seconds(), measure(size)
    return [
        f"{size:,}",
        *(cell for seconds in cost for cell in (f"{seconds:.2f} s", f"{seconds / reference:.0f}")),
    ]


def measure(size: int) -> Cost:
    """Return the medians of several starts from the same state."""
    with tempfile.TemporaryDirectory() as folder:
        write_state(Path(folder) / "state.db", size, time.time())
        costs = [_measure_in(Path(folder)) for _ in range(STARTS)]
    return Cost(*(statistics.median(values) for values in zip(*costs, strict=True)))


def _measure_in(folder: Path) -> Cost:
    with exporter(folder, UNREACHABLE, STILL) as (port, process):
        scrape(port, "OpenMetrics", "gzip")
        started = process_cpu_seconds(process)
        post(port, "/-/reload")
        return Cost(started, process_cpu_seconds(process) - started)


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]]))
