"""Measures scrapes while the exporter polls far faster than by default.

`python -m benchmarks.busy [SIZE ...]`; without sizes, the results are written into benchmarks/README.md.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import environment, table, write_section
from benchmarks.scrape.exporter import exporter, fill_state
from benchmarks.scrape.fleet import FleetProcess
from benchmarks.scrape.scraper import KINDS, Latency, fetch, scrape

SIZES = (2_500,)
RATE = 200  # polls per second: each needs one request
BUSY = {"requests_per_second": RATE, "concurrency": 8, "interval": "10s", "idle_interval": "10s"}
WARM_UP = 15.0  # seconds, until every data source was polled and the rate limiter has reached its rate
SCRAPES = 200  # of each format and encoding
PAUSE = 0.1  # seconds between two scrapes
COLUMNS = ("sources", "format", "encoding", "polls, 1/s", "median / 99th", "worst")


def main(sizes: list[int]) -> int:
    """Measure each size, print the table, and write it into the page if no sizes are given."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    results = f"{environment()}\n\n{table(COLUMNS, [row for size in sizes or SIZES for row in _rows(size)])}"
    print(results)
    if not sizes:
        write_section("busy", results)
    return 0


def _rows(size: int) -> list[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        fleet = FleetProcess(size)
        try:
            fill_state(Path(folder), size, fleet)
            with exporter(Path(folder), fleet.url, BUSY) as (port, _):
                time.sleep(WARM_UP)
                return [[f"{size:,}", *kind, *_measure(port, *kind)] for kind in KINDS]
        finally:
            fleet.stop()


def _measure(port: int, format_name: str, encoding: str) -> list[str]:
    """Return the rate of polls, the percentiles and the longest of some scrapes."""
    polls, started = _polls(port), time.monotonic()
    durations = []
    for _ in range(SCRAPES):
        time.sleep(PAUSE)
        durations.append(scrape(port, format_name, encoding))
    rate = (_polls(port) - polls) / (time.monotonic() - started)
    return [f"{rate:.0f}", str(Latency.of(durations)), f"{max(durations) * 1000:.0f} ms"]


def _polls(port: int) -> float:
    """Return the number of polls that the exporter has completed."""
    return sum(map(float, re.findall(r"^qbusiness_exporter_polls_total\{.*\} (\S+)$", fetch(port), re.MULTILINE)))


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]]))
