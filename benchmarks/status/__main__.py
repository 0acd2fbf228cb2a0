"""Measures the status page and the JSON API, and their effect on scrapes, over HTTP.

`python -m benchmarks.status [SIZE ...]`; without sizes, the results are written into benchmarks/README.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import environment, table, write_section
from benchmarks.scrape.exporter import FULL_RATE, exporter, fill_state
from benchmarks.scrape.fleet import FleetProcess
from benchmarks.scrape.scraper import Latency, scrape

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (2_500, 10_000)
REQUESTS = 30  # of each page
ROUNDS, SCRAPES = 4, 50
PAUSE = 0.05  # seconds between two scrapes
WARM_UP = 5.0  # seconds
PAGES = {"page": "/", "search": "/?q=share-12", "JSON (1,000)": "/api/v1/data-sources"}
COLUMNS = ("sources", "first page", *PAGES, "scrape", "scrape while pages are made", "ratio of medians")


def main(sizes: list[int]) -> int:
    """Measure each size, print the table, and write it into the page if no sizes are given."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    results = f"{environment()}\n\n{table(COLUMNS, [_measure(size) for size in sizes or SIZES])}"
    print(results)
    if not sizes:
        write_section("status", results)
    return 0


def _measure(size: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        fleet = FleetProcess(size)
        try:
            fill_state(Path(folder), size, fleet)
            return _measure_in(Path(folder), size, fleet)
        finally:
            fleet.stop()


def _measure_in(folder: Path, size: int, fleet: FleetProcess) -> list[str]:
    with exporter(folder, fleet.url, FULL_RATE) as (port, _):
        time.sleep(WARM_UP)
        first_page = _request(port, "/")
        pages = [Latency.of([_request(port, path) for _ in range(REQUESTS)]) for path in PAGES.values()]
        alone: list[float] = []
        with_pages: list[float] = []
        for _ in range(ROUNDS):  # alternating, so that other load on the machine affects both
            alone += _scrapes(port)
            with _page_requests(port):
                with_pages += _scrapes(port)
    scrape, busy_scrape = Latency.of(alone), Latency.of(with_pages)
    return [
        f"{size:,}",
        f"{first_page * 1000:,.0f} ms",
        *map(str, pages),
        str(scrape),
        str(busy_scrape),
        f"{busy_scrape.median / scrape.median:.2f}",
    ]


def _request(port: int, path: str) -> float:
    return scrape(port, "text", "gzip", path)


def _scrapes(port: int) -> list[float]:
    durations = []
    for _ in range(SCRAPES):
        time.sleep(PAUSE)
        durations.append(scrape(port, "OpenMetrics", "gzip"))
    return durations


@contextmanager
def _page_requests(port: int) -> Iterator[None]:
    """Request the page again and again in another thread."""
    stop = threading.Event()

    def request_pages() -> None:
        while not stop.is_set():
            _request(port, "/")

    thread = threading.Thread(target=request_pages)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]]))
