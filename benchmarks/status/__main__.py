"""How long the status page and its JSON take, and what they do to scrapes that come meanwhile, over HTTP.

`python -m benchmarks.status [SIZE ...]`
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

from benchmarks.scrape.exporter import FULL_RATE, exporter, fill_state
from benchmarks.scrape.organisation import Organisation
from benchmarks.scrape.scraper import Latency, scrape

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (2_500, 10_000)
READINGS, ROUNDS, SCRAPES = 30, 4, 50
PAUSE = 0.05  # seconds between two scrapes
WARM_UP = 5.0  # seconds
PAGES = {"page": "/", "search": "/?q=share-12", "JSON": "/api/v1/data-sources"}


def main(sizes: list[int]) -> int:
    """Print the table: medians and 99ths of a hundred."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    head = ("sources", "first page", *PAGES, "scrape", "scrape while pages are made", "ratio of medians")
    print(f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", sep="\n")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            organisation = Organisation(size)
            try:
                fill_state(Path(folder), size, organisation)
                print(f"| {' | '.join(_measure(Path(folder), size, organisation))} |", flush=True)
            finally:
                organisation.stop()
    return 0


def _measure(folder: Path, size: int, organisation: Organisation) -> Iterator[str]:
    with exporter(folder, organisation.url, FULL_RATE) as (port, _):
        time.sleep(WARM_UP)
        yield f"{size:,}"
        yield f"{_read(port, '/') * 1000:.0f} ms"
        for path in PAGES.values():
            yield str(Latency.of([_read(port, path) for _ in range(READINGS)]))
        quiet: list[float] = []
        busy: list[float] = []
        for _ in range(ROUNDS):  # by turns: the machine may have something else to do
            quiet += _scrapes(port)
            with _reader(port):
                busy += _scrapes(port)
        yield str(Latency.of(quiet))
        yield str(Latency.of(busy))
        yield f"{Latency.of(busy).median / Latency.of(quiet).median:.2f}"


def _read(port: int, path: str) -> float:
    return scrape(port, "text", "gzip", path)


def _scrapes(port: int) -> list[float]:
    taken = []
    for _ in range(SCRAPES):
        time.sleep(PAUSE)
        taken.append(scrape(port, "OpenMetrics", "gzip"))
    return taken


@contextmanager
def _reader(port: int) -> Iterator[None]:
    """Load the page again as soon as it has come."""
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            _read(port, "/")

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]] or list(SIZES)))
