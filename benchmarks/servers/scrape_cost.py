"""Time and CPU of a normal scrape on a persistent connection. Batches of scrapes alternate between the servers."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks.servers.candidates import CANDIDATES
from benchmarks.servers.clients import ScrapeClient, untrusting
from benchmarks.servers.process import running
from benchmarks.servers.rows import row_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.servers.process import Server
    from benchmarks.servers.rows import Row

BATCHES = 6
SCRAPES = {"small": 200, "large": 15}  # scrapes in a batch: enough CPU time to measure in hundredths of a second
ENCODINGS = ("identity", "gzip")


def rows(certificates: Path) -> Iterator[Row]:
    """Measure both pages in both encodings, and the large page over TLS."""
    for page in SCRAPES:
        for encoding in ENCODINGS:
            yield from _compare(page, encoding, None)
    yield from _compare("large", "gzip", certificates)


def _compare(page: str, encoding: str, certificates: Path | None) -> Iterator[Row]:
    times: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    costs: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    tls = untrusting() if certificates else None
    with ExitStack() as stack:
        servers = [stack.enter_context(running(name, page=page, tls=certificates)) for name in CANDIDATES]
        for server in servers:
            _batch(server, encoding, 2, tls)  # warms up
        for _ in range(BATCHES):
            for server in servers:
                latencies, cost = _batch(server, encoding, SCRAPES[page], tls)
                times[server.name] += latencies
                costs[server.name].append(cost)
    title = f"{page} page, {encoding}{', TLS' if tls else ''}"
    yield row_of(f"{title}: time", times, "ms", 1000)
    yield row_of(f"{title}: CPU", costs, "ms", 1000)


def _batch(server: Server, encoding: str, number: int, tls: ssl.SSLContext | None) -> tuple[list[float], float]:
    latencies = []
    before = server.cpu_seconds()
    with ScrapeClient(server.port, tls, encoding) as scraper:
        for _ in range(number):
            started = time.perf_counter()
            scraper.scrape()
            latencies.append(time.perf_counter() - started)
    return latencies, (server.cpu_seconds() - before) / number
