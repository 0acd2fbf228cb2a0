"""The time that a server takes to stop while clients stall."""

from __future__ import annotations

import statistics
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from benchmarks.servers.candidates import CANDIDATES
from benchmarks.servers.clients import HALF_REQUEST, REQUEST, StalledClients, half_client_hello, scrape_once, untrusting
from benchmarks.servers.process import KILL_SECONDS, running
from benchmarks.servers.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.servers.process import Server

REPETITIONS = 3
SCENARIOS: dict[str, tuple[Sequence[tuple[int, bytes]], bool]] = {
    "no clients": ((), False),
    "100 half requests, 50 silent clients": (((100, HALF_REQUEST), (50, b"")), False),
    "50 unread responses": (((50, REQUEST),), False),
    "100 TLS clients, silent or with half a ClientHello": (((50, b""), (50, half_client_hello())), True),
}


def rows(certificates: Path) -> Iterator[Row]:
    """Measure the seconds from SIGTERM to the end of the process."""
    for title, (clients, tls) in SCENARIOS.items():
        stopped: dict[str, list[float | None]] = {name: [] for name in CANDIDATES}
        for _ in range(REPETITIONS):
            for name, seconds in _stop_all(clients, certificates if tls else None).items():
                stopped[name].append(seconds)
        yield Row(title, {name: _format(seconds) for name, seconds in stopped.items()})


def _stop_all(groups: Sequence[tuple[int, bytes]], certificates: Path | None) -> dict[str, float | None]:
    stopped: dict[str, float | None] = {}
    with ExitStack() as stack:
        servers = [stack.enter_context(running(name, tls=certificates)) for name in CANDIDATES]
        for server in servers:
            for number, sent in groups:
                stack.enter_context(StalledClients(server.port, number, sent))
            with suppress(OSError):  # it only waits until the server has accepted the clients
                scrape_once(server.port, untrusting() if certificates else None)

        def stop(server: Server) -> None:
            stopped[server.name] = server.stop()

        threads = [threading.Thread(target=stop, args=(server,)) for server in servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return stopped


def _format(seconds: Sequence[float | None]) -> str:
    ended = [each for each in seconds if each is not None]
    if len(ended) < len(seconds):
        return f"not within {KILL_SECONDS:.0f} s ({len(seconds) - len(ended)} of {len(seconds)} times)"
    return f"{statistics.median(ended):.1f} s"
