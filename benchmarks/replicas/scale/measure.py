"""Starts replicas on real processes and a real server, and measures them while they poll, fail over and start."""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from benchmarks.replicas.scale.accounts import serve_accounts
from benchmarks.replicas.scale.machine import OtherLoad
from benchmarks.replicas.scale.ownership import are_exposed, is_balanced, loads, read_ownership
from benchmarks.replicas.scale.replica import MeasuredReplica, write_config
from benchmarks.replicas.scale.saved_targets import save_targets
from benchmarks.replicas.scale.server import SETTINGS, ServerMeter
from tests.support.postgresql import PostgreSqlServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.replicas.scale.fleet import ScaleSize
    from benchmarks.replicas.scale.ownership import Ownership
    from benchmarks.replicas.scale.server import ServerWork

STEADY = 60.0  # seconds of measured polls
SCRAPE_INTERVAL = 15.0  # seconds, the shortest one that is usual for Prometheus
TIMEOUT = 600.0  # seconds for each step
CHECK_INTERVAL = 0.2  # seconds between two queries of the owners


class ReplicaUsage(NamedTuple):
    """The resources of one replica: its targets, bytes of memory, processors, and the seconds of a scrape."""

    targets: int
    memory: int
    cpu: float
    scrape: float


class FirstStart(NamedTuple):
    """The seconds until replicas that start together expose everything, and the CPU seconds of each until then."""

    exposed: float
    cpu: list[float]
    others: float
    """The processors that other programs used meanwhile."""


class TakeOver(NamedTuple):
    """The seconds from a kill until all targets of the replica have other owners, and until these expose them.

    `cpu` are the CPU seconds of each of the other replicas meanwhile, and `moved` is the number of their own targets
    that changed the owner.
    """

    owned: float
    exposed: float
    cpu: list[float]
    moved: int


class Start(NamedTuple):
    """The seconds and CPU seconds until a new replica listens, and until it has its share."""

    listens: float
    listens_cpu: float
    balanced: float
    balanced_cpu: float


class ScaleResult(NamedTuple):
    """All results."""

    usages: list[ReplicaUsage]
    work: ServerWork
    others: float
    """The processors that other programs used while these two were measured."""
    database_bytes: int
    first_start: FirstStart
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
        wait_until(lambda: is_balanced(self.ownership(), len(replicas)))


def measure(size: ScaleSize) -> ScaleResult:
    """Run everything once."""
    with ScaledCluster(size) as cluster:
        report("state written")
        replicas, first_start = measure_first_start(cluster)
        report(first_start)
        cluster.until_balanced(replicas)
        load = OtherLoad(cluster.meter)
        usages, work = measure_steady(cluster, replicas)
        others = load.processors()
        report(usages)
        killed = replicas.pop()
        take_over = measure_take_over(cluster, killed, replicas)
        report(take_over)
        start = measure_start(cluster, replicas)
        return ScaleResult(usages, work, others, cluster.meter.database_bytes(), first_start, take_over, start)


def report(progress: object) -> None:
    """Print a result on stderr as soon as it is known: the whole run takes minutes."""
    print(f"{time.strftime('%H:%M:%S')} {progress}", file=sys.stderr, flush=True)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a condition of the whole cluster holds. Each check is a query, whose cost must not matter."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {TIMEOUT:g} seconds")
        time.sleep(CHECK_INTERVAL)


def measure_first_start(cluster: ScaledCluster) -> tuple[list[MeasuredReplica], FirstStart]:
    """Start all replicas at once, and wait until everything is exposed."""
    began, before, load = time.monotonic(), cluster.ownership(), OtherLoad(cluster.meter)
    replicas = cluster.start("a", "b", "c", "d")
    wait_until(lambda: are_exposed(cluster.ownership(), before))
    exposed, cpu = time.monotonic() - began, [replica.cpu for replica in replicas]
    return replicas, FirstStart(exposed, cpu, load.processors())


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


def measure_take_over(cluster: ScaledCluster, killed: MeasuredReplica, others: Sequence[MeasuredReplica]) -> TakeOver:
    """Kill a replica, and wait until others expose its targets."""
    killed.kill()
    began, before, cpu = time.monotonic(), cluster.ownership(), [replica.cpu for replica in others]
    lost = {key: each for key, each in before.items() if each.owner == killed.address}
    wait_until(lambda: not {"", killed.address} & set(loads(cluster.ownership())))
    owned = time.monotonic() - began
    wait_until(lambda: are_exposed(cluster.ownership(), lost))
    exposed, after = time.monotonic() - began, cluster.ownership()
    used = [replica.cpu - each for replica, each in zip(others, cpu, strict=True)]
    moved = sum(after[key].epoch != before[key].epoch for key in before.keys() - lost.keys())
    return TakeOver(owned, exposed, used, moved)


def measure_start(cluster: ScaledCluster, others: Sequence[MeasuredReplica]) -> Start:
    """Start another replica, and wait until it owns its share."""
    began = time.monotonic()
    (replica,) = cluster.start("e")
    listens, cpu = time.monotonic() - began, replica.cpu
    cluster.until_balanced([*others, replica])
    return Start(listens, cpu, time.monotonic() - began, replica.cpu)
