"""Many slow clients: the resources that they use, when the server drops them, and scrapes meanwhile."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.servers.candidates import CANDIDATES, EXPORTER, HYPERCORN
from benchmarks.servers.clients import (
    HALF_REQUEST,
    REQUEST,
    StalledClients,
    half_client_hello,
    scrape_once,
    untrusting,
)
from benchmarks.servers.process import kernel_memory, running
from benchmarks.servers.rows import Row, row_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.servers.process import Server

SCRAPES_BEFORE = 5
PAUSE = 0.2  # seconds between two scrapes, and between two samples
TRICKLE_INTERVAL = 1.0  # seconds


@dataclass(frozen=True)
class Scenario:
    """A number of clients that stall in the same way, observed for some seconds.

    The servers of a group are measured at the same time, and their scrapes alternate. A group has one server if its
    scrapes may time out, or if the unread responses fill the memory that the kernel allows for all sockets.
    """

    title: str
    number: int
    sent: bytes
    seconds: float
    tls: bool = False
    trickles: bool = False
    groups: Sequence[Sequence[str]] = (tuple(CANDIDATES),)


EACH = tuple((name,) for name in CANDIDATES)
SCENARIOS = (
    Scenario("64 clients that do not read the large page", 64, REQUEST, 34),
    Scenario("500 clients that do not read the large page", 500, REQUEST, 12, groups=((EXPORTER,), (HYPERCORN,))),
    Scenario("500 TLS clients that send nothing", 500, b"", 14, tls=True),
    Scenario("1,500 TLS clients that send nothing", 1500, b"", 14, tls=True, groups=EACH),
    Scenario("1,500 TLS clients that send half a ClientHello", 1500, half_client_hello(), 14, tls=True, groups=EACH),
    Scenario("1,000 half requests, then one byte a second", 1000, HALF_REQUEST, 14, trickles=True, groups=EACH),
)


@dataclass
class Observation:
    """The measurements of one server in one scenario. Memory is in megabytes, times are in seconds."""

    memory_before: float = 0
    scrapes_before: list[float] = field(default_factory=list)
    scrapes: list[float] = field(default_factory=list)
    failed_scrapes: int = 0
    memory: list[float] = field(default_factory=list)
    kernel_memory: float = 0
    descriptors: int = 0
    open: list[tuple[float, int]] = field(default_factory=list)

    def clients_dropped(self) -> str:
        """Return the time at which the server had dropped all clients."""
        for seconds, number in self.open:
            if number == 0:
                return f"all after {seconds:.0f} s"
        seconds, number = self.open[-1]
        return f"{number} open after {seconds:.0f} s"

    def scrapes_succeeded(self) -> str:
        """Return the number of scrapes that succeeded while the clients stalled, and the slowest one."""
        slowest = f", slowest {max(self.scrapes):.2f} s" if self.scrapes else ""
        return f"{len(self.scrapes)} of {len(self.scrapes) + self.failed_scrapes}{slowest}"


def rows(scenario: Scenario, certificates: Path) -> Iterator[Row]:
    """Measure one scenario, and yield its rows."""
    found: dict[str, Observation] = {}
    for group in scenario.groups:
        found |= _observe(scenario, group, certificates if scenario.tls else None)
    yield row_of("memory before", {name: [each.memory_before] for name, each in found.items()}, "MB")
    added = {name: [max(each.memory) - each.memory_before] for name, each in found.items()}
    yield row_of("memory added", added, "MB")
    yield row_of("kernel memory added", {name: [each.kernel_memory] for name, each in found.items()}, "MB")
    yield Row("descriptors", {name: str(each.descriptors) for name, each in found.items()})
    yield Row("scrapes that succeeded", {name: each.scrapes_succeeded() for name, each in found.items()})
    yield row_of("scrape before, median", {name: each.scrapes_before for name, each in found.items()}, "ms", 1000)
    yield row_of("scrape, median", {name: each.scrapes for name, each in found.items()}, "ms", 1000)
    yield Row("clients dropped", {name: each.clients_dropped() for name, each in found.items()})


def _observe(scenario: Scenario, names: Sequence[str], certificates: Path | None) -> dict[str, Observation]:
    tls = untrusting() if scenario.tls else None
    with ExitStack() as stack:
        servers = [stack.enter_context(running(name, tls=certificates)) for name in names]
        found = {server.name: Observation() for server in servers}
        for _ in range(SCRAPES_BEFORE):
            for server in servers:
                found[server.name].scrapes_before.append(scrape_once(server.port, tls))
        samplers = [_start_clients(stack, scenario, server, found[server.name], tls) for server in servers]
        while any(sampler.is_alive() for sampler in samplers):
            for server in servers:
                _scrape(server, found[server.name], tls)
            time.sleep(PAUSE)
    return found


def _start_clients(
    stack: ExitStack, scenario: Scenario, server: Server, found: Observation, tls: ssl.SSLContext | None
) -> threading.Thread:
    """Connect the clients, and return the thread that takes samples."""
    kernel_before, found.memory_before = kernel_memory(), server.memory()
    clients = stack.enter_context(StalledClients(server.port, scenario.number, scenario.sent))
    sampler = threading.Thread(target=_sample, args=(scenario, server, clients, found))
    sampler.start()
    _scrape(server, found, tls)  # it ends after the server has accepted all clients before it
    found.kernel_memory = max(0.0, kernel_memory() - kernel_before)
    return sampler


def _sample(scenario: Scenario, server: Server, clients: StalledClients, found: Observation) -> None:
    """Record the resources of the server and the number of open connections, whether or not scrapes succeed."""
    started = last_byte = time.monotonic()
    while (now := time.monotonic()) < started + scenario.seconds:
        found.memory.append(server.memory())
        found.descriptors = max(found.descriptors, server.descriptors())
        found.open.append((now - started, clients.count_open()))
        if scenario.trickles and now >= last_byte + TRICKLE_INTERVAL:
            last_byte = now
            clients.send_byte()
        time.sleep(PAUSE)


def _scrape(server: Server, found: Observation, tls: ssl.SSLContext | None) -> None:
    try:
        found.scrapes.append(scrape_once(server.port, tls))
    except OSError:
        found.failed_scrapes += 1
