"""Clients that stall, and a scrape beside them: what they cost, whether it succeeds, and when they are dropped."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.servers.clients import (
    HALF_REQUEST,
    REQUEST,
    StalledClients,
    half_client_hello,
    scrape_once,
    untrusting,
)
from benchmarks.servers.contenders import CONTENDERS, HYPERCORN, OURS
from benchmarks.servers.process import kernel_memory, running
from benchmarks.servers.table import Row, row_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.servers.process import Server

IDLE_SCRAPES = 5
PAUSE = 0.2  # seconds between two scrapes, and between two samples
DRIP_EVERY = 1.0  # seconds


@dataclass(frozen=True)
class Situation:
    """So many clients that stall in the same way, watched for so many seconds.

    The servers of a group are watched at the same time, and their scrapes alternate. Servers are watched one after the
    other where a scrape may time out, and where 500 unread responses fill what the kernel allows for all sockets.
    """

    title: str
    number: int
    sent: bytes
    watch: float
    tls: bool = False
    drips: bool = False
    groups: Sequence[Sequence[str]] = (tuple(CONTENDERS),)


EACH = tuple((name,) for name in CONTENDERS)
SITUATIONS = (
    Situation("64 clients that do not read the large page", 64, REQUEST, 34),
    Situation("500 clients that do not read the large page", 500, REQUEST, 12, groups=((OURS,), (HYPERCORN,))),
    Situation("500 TLS clients that send nothing", 500, b"", 14, tls=True),
    Situation("1,500 TLS clients that send nothing", 1500, b"", 14, tls=True, groups=EACH),
    Situation("1,500 TLS clients that send half a ClientHello", 1500, half_client_hello(), 14, tls=True, groups=EACH),
    Situation("1,000 half requests, one byte a second", 1000, HALF_REQUEST, 14, drips=True, groups=EACH),
)


@dataclass
class Observed:
    """What was seen of one server. Memory is in megabytes, times in seconds."""

    before: float = 0
    descriptors: int = 0
    idle: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    kernel: float = 0
    failures: int = 0
    open: list[tuple[float, int]] = field(default_factory=list)

    def dropped(self) -> str:
        """Return when the server had dropped all clients."""
        for after, number in self.open:
            if number == 0:
                return f"all after {after:.0f} s"
        after, number = self.open[-1]
        return f"{number} are open after {after:.0f} s"

    def scrapes(self) -> str:
        """Return how many scrapes beside the stalled clients succeeded, and the slowest."""
        slowest = f", slowest {max(self.beside):.2f} s" if self.beside else ""
        return f"{len(self.beside)} of {len(self.beside) + self.failures}{slowest}"


def rows(situation: Situation, certificates: Path) -> Iterator[Row]:
    """Measure one situation."""
    observed: dict[str, Observed] = {}
    for group in situation.groups:
        observed |= _observe(situation, group, certificates if situation.tls else None)
    yield row_of("memory before", {name: [each.before] for name, each in observed.items()}, "MB")
    yield row_of("memory added", {name: [max(each.memory) - each.before] for name, each in observed.items()}, "MB")
    yield row_of("kernel memory added", {name: [each.kernel] for name, each in observed.items()}, "MB")
    yield Row("descriptors", {name: str(each.descriptors) for name, each in observed.items()})
    yield Row("scrapes beside them", {name: each.scrapes() for name, each in observed.items()})
    yield row_of("scrape before, median", {name: each.idle for name, each in observed.items()}, "ms", 1000)
    yield row_of("scrape beside, median", {name: each.beside for name, each in observed.items()}, "ms", 1000)
    yield Row("clients dropped", {name: each.dropped() for name, each in observed.items()})


def _observe(situation: Situation, names: Sequence[str], certificates: Path | None) -> dict[str, Observed]:
    tls = untrusting() if situation.tls else None
    with ExitStack() as stack:
        servers = [stack.enter_context(running(name, tls=certificates)) for name in names]
        observed = {server.name: Observed() for server in servers}
        for _ in range(IDLE_SCRAPES):
            for server in servers:
                observed[server.name].idle.append(scrape_once(server.port, tls))
        samplers = []
        for server in servers:
            seen, kernel_before = observed[server.name], kernel_memory()
            seen.before = server.memory()
            clients = stack.enter_context(StalledClients(server.port, situation.number, situation.sent))
            samplers.append(threading.Thread(target=_sample, args=(situation, server, clients, seen)))
            samplers[-1].start()
            _scrape(server, seen, tls)  # it waits until the server has seen to all clients that came before
            seen.kernel = max(0.0, kernel_memory() - kernel_before)
        while any(sampler.is_alive() for sampler in samplers):
            for server in servers:
                _scrape(server, observed[server.name], tls)
            time.sleep(PAUSE)
    return observed


def _sample(situation: Situation, server: Server, clients: StalledClients, seen: Observed) -> None:
    """Record what the server uses and which clients it has dropped, whether or not scrapes succeed."""
    began = dripped = time.monotonic()
    while (now := time.monotonic()) < began + situation.watch:
        seen.memory.append(server.memory())
        seen.descriptors = max(seen.descriptors, server.descriptors())
        seen.open.append((now - began, clients.still_open()))
        if situation.drips and now >= dripped + DRIP_EVERY:
            dripped = now
            clients.drip()
        time.sleep(PAUSE)


def _scrape(server: Server, seen: Observed, tls: ssl.SSLContext | None) -> None:
    try:
        seen.beside.append(scrape_once(server.port, tls))
    except OSError:
        seen.failures += 1
