"""The faults of a cluster: of processes, of the network to the database, and of the database itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from exporter.domain.target_identity import target_identity
from exporter.domain.units import HOUR, MINUTE
from exporter.providers.qbusiness.service import QBUSINESS
from simulation.replicas.session import LinkFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulation.replicas.cluster import ClusterState
    from simulation.replicas.process import ReplicaProcess

LOADED = 5.0  # seconds after a hand-over in which the next owner loads a target
MAX_LOST = 10.0  # the last seconds of commits, which a standby lacks when it becomes the primary
RECOVERY_TIME = 45.0  # seconds without a fault in which another replica loads and writes the targets that one has lost


class ClusterOperator(Protocol):
    """The actions of faults on the processes."""

    @property
    def processes(self) -> Mapping[str, ReplicaProcess]:
        """The replicas that have started and have not ended, by name."""

    def kill(self, name: str, pause: float) -> None:
        """Kill a replica, and start it again after a pause."""

    def stop(self, name: str, pause: float) -> None:
        """Stop a replica cleanly, and start it again after a pause."""

    def scale(self, name: str, seconds: float) -> None:
        """Start another replica, and stop it after some seconds."""


class ReplicaFaults:
    """Schedules faults at random times until the end of the faulty part."""

    def __init__(self, cluster: ClusterState, operator: ClusterOperator) -> None:
        self._cluster = cluster
        self._operator = operator
        self._rng = cluster.rng
        self._last_ends = cluster.begins
        for inject, gap in (
            (self._kill, 3 * MINUTE),
            (self._kill_at_commit, 4 * MINUTE),
            (self._stop, 3 * MINUTE),
            (self._roll_out, 6 * MINUTE),
            (self._scale, 6 * MINUTE),
            (self._suspend, 3 * MINUTE),
            (self._break_link, 2 * MINUTE),
            (self._stop_database, 4 * MINUTE),
            (self._fail_over, 2 * MINUTE),
            (self._set_database_clock, 6 * MINUTE),
            (self._reject_rows, 4 * MINUTE),
        ):
            if self._rng.random() < 2 / 3:
                self._schedule(inject, gap * self._rng.uniform(0.5, 2.0), cluster.begins)

    def _schedule(self, inject: Callable[[], None], gap: float, since: float) -> None:
        """Inject a fault again and again; `gap` is the mean time between two of them, in seconds."""
        moment = since + self._rng.expovariate(1 / gap)

        def happen() -> None:
            self._schedule(inject, gap, moment)
            if self._cluster.clock.now >= self._cluster.no_faults_until:
                inject()

        if moment < self._cluster.faults_until:
            self._cluster.clock.at(moment, happen)

    def _replica(self) -> ReplicaProcess | None:
        processes = sorted(self._operator.processes.values(), key=lambda process: process.id)
        return self._rng.choice(processes) if processes else None

    def _end(self, most: float = 90.0) -> float:
        """Return the time at which a fault ends that begins now."""
        seconds = self._rng.choice((2.0, 10.0, 30.0, most)) * self._rng.uniform(0.5, 1.0)
        end = min(self._cluster.faults_until, self._cluster.clock.now + seconds)
        self._last_ends = max(self._last_ends, end)
        return end

    def _pause(self) -> float:
        """Return the seconds until a process is started again."""
        return self._end() - self._cluster.clock.now

    def _note(self, kind: str, *details: object) -> None:
        self._last_ends = max(self._last_ends, self._cluster.clock.now)
        self._cluster.trace.note(kind, *details)

    # Faults of processes.

    def _kill(self) -> None:
        if process := self._replica():
            self._note("kill", process.id)
            self._operator.kill(process.name, self._pause())

    def _kill_at_commit(self) -> None:
        """Kill a replica between its next commit and the response to it."""
        if process := self._replica():
            self._note("kill at commit", process.id)
            name, pause = process.name, self._pause()
            process.link.on_commit = lambda: self._operator.kill(name, pause)

    def _stop(self) -> None:
        if process := self._replica():
            self._note("stop", process.id)
            self._operator.stop(process.name, self._pause())

    def _roll_out(self) -> None:
        """Replace one replica after another, as a Deployment does."""
        self._note("roll-out")
        for number, name in enumerate(sorted(self._operator.processes)):
            self._cluster.clock.after(20.0 * number, partial(self._operator.stop, name, 1.0))
        self._last_ends = max(self._last_ends, self._cluster.clock.now + 20.0 * len(self._operator.processes))

    def _scale(self) -> None:
        self._note("scale-up")
        self._operator.scale("d", self._pause())

    def _suspend(self) -> None:
        """Suspend a replica, now or before its next transaction, which it sends when it continues."""
        if process := self._replica():
            until = self._end()
            self._note("suspend", process.id, until)
            if self._rng.random() < 1 / 2:
                process.host.suspend(until)
            else:
                process.link.on_send = lambda: process.host.suspend(until)

    # Faults of the database and of the network to it.

    def _break_link(self) -> None:
        if process := self._replica():
            fault, until = self._rng.choice(list(LinkFault)), self._end()
            process.link.fail(fault, until)
            self._note("link", process.id, fault.name, until)

    def _stop_database(self) -> None:
        self._cluster.database.down_until = self._end()
        self._note("database away", self._cluster.database.down_until)

    def _reject_rows(self) -> None:
        """Reject all rows, as with a full disk, or those of one target, as if they were locked."""
        database, fleet = self._cluster.database, self._rng.choice(self._cluster.accounts).fleet
        key = target_identity(QBUSINESS.name, fleet.account, fleet.region)
        database.rejected_target = self._rng.choice((None, key))
        database.rejects_until = self._end()
        self._note("rows rejected", database.rejected_target, database.rejects_until)

    def _set_database_clock(self) -> None:
        self._cluster.database.clock_error = self._rng.choice((-HOUR, 0.0, HOUR))
        self._note("database clock", self._cluster.database.clock_error)

    def _fail_over(self) -> None:
        """Replace the database by a standby that lacks the last commits, if all owners survive to write them again."""
        cluster, processes = self._cluster, self._operator.processes.values()
        if cluster.clock.now < self._last_ends + RECOVERY_TIME or not all(process.can_own for process in processes):
            return
        lost, copy = self._rng.uniform(LOADED, MAX_LOST), cluster.database.copy()
        cluster.no_faults_until = cluster.clock.now + lost + RECOVERY_TIME
        self._last_ends = cluster.clock.now + lost
        if self._rng.random() < 1 / 2:  # the standby lacks the hand-over too
            name = self._rng.choice(sorted(self._operator.processes))
            cluster.clock.after(0.1, lambda: self._operator.stop(name, lost))

        def promote() -> None:
            cluster.trace.note("failover", lost)
            cluster.database.restore(copy)
            cluster.database.down_until = cluster.clock.now + self._rng.uniform(0.0, 3.0)

        cluster.clock.after(lost, promote)
