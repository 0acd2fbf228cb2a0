"""Faults of replicas and of their database at random times, from a seed."""

from __future__ import annotations

import random
import sched
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from tests.support.replica_cluster import NAMES, SPARE, ReplicaCluster
from tests.support.stalling_proxy import StallingProxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgresql import PostgreSqlServer

GAPS = (0.2, 1.5, 4.0)  # seconds between the beginnings of two faults
SHORT, LONG = (0.5, 3.0), (17.0,)  # seconds that a fault lasts: shorter and longer than a lease
DURATIONS = {
    "kill": (*SHORT, *LONG),
    "pause": (*SHORT, *LONG),
    "half-open": (*SHORT, *LONG),
    "cut": (*SHORT, *LONG),
    "stop": SHORT,
    "scale": (8.0, 12.0),
    "database": (0.5, 6.0),
}
ROLL_OUT = "roll-out"
RETURN = 1.0  # seconds until a replica has started again
POD = 4.0  # seconds between the replacements of two replicas in a roll-out


@dataclass(frozen=True, slots=True)
class ReplicaFault:
    """A fault of a replica or of the database; times are in seconds since the start of the sequence."""

    begins: float
    ends: float
    kind: str
    replica: str

    def overlaps(self, other: ReplicaFault) -> bool:
        """Return whether two faults last at the same time. A replica needs a moment until it is back."""
        return self.begins < other.ends + RETURN and other.begins < self.ends + RETURN


def make_faults(seed: int) -> list[ReplicaFault]:
    """Return faults of every kind, in random order. At any time, at least one of the three replicas has none."""
    rng = random.Random(seed)
    faults: list[ReplicaFault] = []
    now = 0.0
    for kind in rng.sample([*DURATIONS, ROLL_OUT], len(DURATIONS) + 1):
        now += rng.choice(GAPS)
        if kind == ROLL_OUT:
            stops = (
                ReplicaFault(now + number * POD, now + number * POD, "stop", name) for number, name in enumerate(NAMES)
            )
            faults += [stop for stop in stops if _is_possible(stop, faults)]
            continue
        name = {"database": "the database", "scale": SPARE}.get(kind) or rng.choice(NAMES)
        fault = ReplicaFault(now, now + rng.choice(DURATIONS[kind]), kind, name)
        while not _is_possible(fault, faults):
            fault = replace(fault, begins=fault.begins + 1, ends=fault.ends + 1)
        faults.append(fault)
        now = fault.begins
    return faults


def _is_possible(fault: ReplicaFault, faults: list[ReplicaFault]) -> bool:
    """Return whether a replica has no other fault at that time, and one of the others has none."""
    if fault.replica not in NAMES:
        return True
    busy = {other.replica for other in faults if other.replica in NAMES and other.overlaps(fault)}
    return fault.replica not in busy and len(busy) < len(NAMES) - 1


class FaultyCluster:
    """Three replicas whose networks to the database can fail; a context manager that runs them."""

    def __init__(self, folder: Path, server: PostgreSqlServer) -> None:
        self._server = server
        self._running = ExitStack()
        self._links = {name: StallingProxy(server.port) for name in NAMES}
        ports = {name: link.port for name, link in self._links.items()}
        self.replicas = ReplicaCluster(folder, server, ports=ports)

    def __enter__(self) -> Self:
        """Start everything."""
        with ExitStack() as running:
            for link in self._links.values():
                running.enter_context(link)
            running.enter_context(self.replicas)
            self._running = running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill all replicas."""
        self._running.close()

    def run(self, faults: list[ReplicaFault]) -> None:
        """Start and end faults at their times."""
        schedule = sched.scheduler(time.monotonic, time.sleep)
        for fault in faults:
            schedule.enter(fault.begins, 0, self._begin, (fault,))
            schedule.enter(fault.ends, 1, self._end, (fault,))
        schedule.run()

    def _begin(self, fault: ReplicaFault) -> None:
        replicas, name = self.replicas, fault.replica
        replicas.monitor.fault_begins()
        match fault.kind:
            case "kill":
                replicas.kill(name)
            case "stop":
                assert replicas.stop(name) == 0
            case "pause":
                replicas.pause(name)
            case "half-open":
                self._links[name].stall()
            case "cut":
                self._links[name].cut()
            case "scale":
                replicas.start(name)
            case "database":
                self._server.stop()

    def _end(self, fault: ReplicaFault) -> None:
        replicas, name = self.replicas, fault.replica
        match fault.kind:
            case "kill" | "stop":
                replicas.start(name)
            case "pause":
                replicas.resume(name)
            case "half-open" | "cut":
                self._links[name].resume()
            case "scale":
                assert replicas.stop(name) == 0
            case "database":
                self._server.start()

    def fail_over(self) -> None:
        """Replace a replica, and then continue with a database that knows neither that nor the last commits."""
        server, copy = self._server, self._server.directory / "standby"
        server.stop()
        server.copy_data(copy)
        server.start()
        self.replicas.until_owned(NAMES)
        self.replicas.stop("a")
        self.replicas.start("a")
        self.replicas.until_owned(NAMES)
        server.stop()
        server.replace_data(copy)
        server.start()
        self.replicas.until_owned(NAMES)
