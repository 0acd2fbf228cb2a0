"""Starts replicas on real processes and a real server, and measures them while they poll, fail over and start."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from benchmarks.replicas.scale.accounts import serve_accounts
from benchmarks.replicas.scale.ownership import are_exposed, is_balanced, loads, read_ownership
from benchmarks.replicas.scale.replica import MeasuredReplica, write_config
from benchmarks.replicas.scale.saved_targets import save_targets
from benchmarks.replicas.scale.server import SETTINGS, ServerMeter
from tests.support.harness import eventually
from tests.support.postgresql import PostgreSqlServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.replicas.scale.fleet import ScaleSize
    from benchmarks.replicas.scale.ownership import Ownership
    from benchmarks.replicas.scale.server import ServerWork

STEADY = 60.0  # seconds of measured polls
SCRAPE_INTERVAL = 15.0  # seconds, the shortest one that is usual for Prometheus
TIMEOUT = 600.0  # seconds for each step


class ReplicaUsage(NamedTuple):
    """The resources of one replica: its targets, bytes of memory, processors, and the seconds of a scrape."""

    targets: int
    memory: int
    cpu: float
    scrape: float


class TakeOver(NamedTuple):
    """The seconds from a kill until all targets of the replica have other owners, and until these expose them.

    `moved` is the number of targets of other replicas whose owner changed meanwhile.
    """

    owned: float
    exposed: float
    moved: int


class Start(NamedTuple):
    """The seconds and CPU seconds until a new replica listens, and the seconds until it has its share."""

    listens: float
    cpu: float
    balanced: float


class ScaleResult(NamedTuple):
    """All results."""

    usages: list[ReplicaUsage]
    work: ServerWork
    database_bytes: int
    first_start: float
    take_over: TakeOver
    start: Start


class ScaledCluster:
    """Replicas, the services that they poll, and their database; a context manager that stops everything."""

    def __init__(self, size: ScaleSize) -> None:
        self._size = size
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Start the services and the server, and write the state of all targets; no replica runs yet."""
        now = float(int(time.time()))
        with self._running as running:
            folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
            server = running.enter_context(PostgreSqlServer(SETTINGS))
            url = server.create_database()
            services = running.enter_context(serve_accounts(self._size, now))
            save_targets(url, *self._size, now)
            self.meter = ServerMeter(server, url)
            running.callback(self.meter.connection.close)
            self._config, self._sts = folder / "config.json", services[0]
            write_config(self._config, services, url)
            self._running = running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self._running.close()

    def start(self, *names: str) -> list[MeasuredReplica]:
        """Start replicas at the same time, and wait until they listen."""
        replicas = [MeasuredReplica(self._config, name, self._sts) for name in names]
        with ThreadPoolExecutor() as pool:
            return list(pool.map(self._running.enter_context, replicas))

    def ownership(self) -> Ownership:
        """Return the owners of all targets."""
        return read_ownership(self.meter.connection)

    def until_balanced(self, replicas: Sequence[MeasuredReplica]) -> None:
        """Wait until each replica owns its share."""
        eventually(lambda: is_balanced(self.ownership(), len(replicas)), TIMEOUT)


def measure(size: ScaleSize) -> ScaleResult:
    """Run everything once."""
    with ScaledCluster(size) as cluster:
        began, before = time.monotonic(), cluster.ownership()
        replicas = cluster.start("a", "b", "c", "d")
        eventually(lambda: are_exposed(cluster.ownership(), before), TIMEOUT)
        first_start = time.monotonic() - began
        cluster.until_balanced(replicas)
        usages, work = measure_steady(cluster, replicas)
        take_over = measure_take_over(cluster, replicas.pop())
        start = measure_start(cluster, replicas)
        return ScaleResult(usages, work, cluster.meter.database_bytes(), first_start, take_over, start)


def measure_steady(cluster: ScaledCluster, replicas: list[MeasuredReplica]) -> tuple[list[ReplicaUsage], ServerWork]:
    """Scrape replicas that poll; return the resources of each, and the work of the server in a second."""
    server, cpu, began = cluster.meter.read(), [replica.cpu for replica in replicas], time.monotonic()
    scrapes: list[list[float]] = [[] for _ in replicas]
    while time.monotonic() < began + STEADY:
        for replica, durations in zip(replicas, scrapes, strict=True):
            durations.append(replica.scrape())
        time.sleep(SCRAPE_INTERVAL)
    seconds, counts = time.monotonic() - began, loads(cluster.ownership())
    usages = [
        ReplicaUsage(counts[replica.address], replica.memory, (replica.cpu - before) / seconds, max(durations))
        for replica, before, durations in zip(replicas, cpu, scrapes, strict=True)
    ]
    return usages, cluster.meter.read().since(server).per(seconds)


def measure_take_over(cluster: ScaledCluster, killed: MeasuredReplica) -> TakeOver:
    """Kill a replica, and wait until others expose its targets."""
    killed.kill()
    began, before = time.monotonic(), cluster.ownership()
    lost = {key: each for key, each in before.items() if each.owner == killed.address}
    eventually(lambda: not {"", killed.address} & set(loads(cluster.ownership())), TIMEOUT)
    owned = time.monotonic() - began
    eventually(lambda: are_exposed(cluster.ownership(), lost), TIMEOUT)
    seconds, after = time.monotonic() - began, cluster.ownership()
    return TakeOver(owned, seconds, sum(after[key].epoch != before[key].epoch for key in before.keys() - lost.keys()))


def measure_start(cluster: ScaledCluster, others: list[MeasuredReplica]) -> Start:
    """Start another replica, and wait until it owns its share."""
    began = time.monotonic()
    (replica,) = cluster.start("e")
    listens, cpu = time.monotonic() - began, replica.cpu
    cluster.until_balanced([*others, replica])
    return Start(listens, cpu, time.monotonic() - began)
