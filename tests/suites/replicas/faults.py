"""Faults of replicas and of their database at random times, from a seed."""

from __future__ import annotations

import random
import sched
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.support.replica_cluster import NAMES, SPARE

if TYPE_CHECKING:
    from tests.support.replica_cluster import ReplicaCluster

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
RETURN = 2.0  # seconds after a fault until a replica works again
POD = 4.0  # seconds between the replacements of two replicas in a roll-out


@dataclass(frozen=True, slots=True)
class ReplicaFault:
    """A fault of a replica or of the database; times are in seconds since the start of the sequence."""

    begins: float
    ends: float
    kind: str
    replica: str

    def overlaps(self, other: ReplicaFault) -> bool:
        """Return whether two faults overlap. After a fault, a replica needs some time until it works again."""
        return self.begins < other.ends + RETURN and other.begins < self.ends + RETURN

    def outlasts(self, other: ReplicaFault) -> bool:
        """Return whether this is an outage of the database, during which the process of the other fault ends."""
        death = {"kill": other.begins, "stop": other.begins, "scale": other.ends}.get(other.kind)
        return self.kind == "database" and death is not None and self.begins <= death < self.ends + RETURN


def make_faults(seed: int) -> list[ReplicaFault]:
    """Return faults of every kind, in random order. At any time, at least one of the three replicas has none.

    No replica ends while the database is unreachable, because its latest counts would be lost until the next owner
    counts them again, and the counters would fall.
    """
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
    """Return whether a fault leaves one of the replicas without any, and ends no replica that cannot write."""
    if any(fault.outlasts(other) or other.outlasts(fault) for other in faults):
        return False
    if fault.replica not in NAMES:
        return True
    busy = {other.replica for other in faults if other.replica in NAMES and other.overlaps(fault)}
    return fault.replica not in busy and len(busy) < len(NAMES) - 1


class FaultyCluster:
    """Three replicas with faults."""

    def __init__(self, replicas: ReplicaCluster) -> None:
        self._replicas = replicas
        self._server = replicas.server

    def run(self, faults: list[ReplicaFault]) -> None:
        """Start and end faults at their times."""
        schedule = sched.scheduler(time.monotonic, time.sleep)
        for fault in faults:
            schedule.enter(fault.begins, 0, self._begin, (fault,))
            schedule.enter(fault.ends, 1, self._end, (fault,))
        schedule.run()

    def _begin(self, fault: ReplicaFault) -> None:
        replicas, name = self._replicas, fault.replica
        replicas.monitor.fault_begins()
        match fault.kind:
            case "kill":
                replicas.until_written(name)
                replicas.kill(name)
            case "stop":
                replicas.until_written(name)
                assert replicas.stop(name) == 0
            case "pause":
                replicas.pause(name)
            case "half-open":
                replicas.links[name].stall()
            case "cut":
                replicas.links[name].cut()
            case "scale":
                replicas.start(name)
            case "database":
                self._server.stop()

    def _end(self, fault: ReplicaFault) -> None:
        replicas, name = self._replicas, fault.replica
        match fault.kind:
            case "kill" | "stop":
                replicas.start(name)
            case "pause":
                replicas.resume(name)
            case "half-open" | "cut":
                replicas.links[name].resume()
            case "scale":
                replicas.until_written(name)
                assert replicas.stop(name) == 0
            case "database":
                self._server.start()

    def fail_over(self) -> None:
        """Replace a replica, and then continue with a database that lacks this change and the last commits."""
        server, copy = self._server, self._server.directory / "standby"
        server.stop()
        server.copy_data(copy)
        server.start()
        self._replicas.until_owned(NAMES)
        self._replicas.stop("a")
        self._replicas.start("a")
        self._replicas.until_owned(NAMES)
        server.stop()
        server.replace_data(copy)
        server.start()
        self._replicas.until_owned(NAMES)
