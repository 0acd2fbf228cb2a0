"""Clusters of replicas on virtual time, whose requests, transactions and take-overs are counted."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from exporter.domain.units import MINUTE
from simulation.replicas.cluster import ClusterState
from simulation.replicas.database import SimulatedDatabase
from simulation.replicas.world import ReplicaWorld

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulation.replicas.database import SimulatedTransaction

MINUTES = 10.0
POLLS = "qbusiness_exporter_polls_total"


class CountingDatabase(SimulatedDatabase):
    """Counts the transactions that write rows of targets, and all others."""

    commits = others = 0

    @contextmanager
    def transaction(self, replica: str) -> Iterator[SimulatedTransaction]:
        """Yield a transaction, and count it."""
        with super().transaction(replica) as transaction:
            before = self._revisions()
            yield transaction
            is_commit = self._revisions() != before
        self.commits += is_commit
        self.others += not is_commit

    def _revisions(self) -> list[tuple[str, int]]:
        is_prepared = self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'target'").fetchone()
        return self._connection.execute("SELECT key, revision FROM target").fetchall() if is_prepared else []


class Work(NamedTuple):
    """The work of all replicas in the minutes after the first polls."""

    requests: int
    polls: float
    commits: int
    others: int


def count_work(seed: int, replicas: str) -> Work:
    """Run a cluster without faults, and return its work."""
    cluster = ClusterState(seed, None, MINUTES)
    database = cluster.database = CountingDatabase(cluster.clock)
    counted: list[Work] = []

    def count(world: ReplicaWorld) -> None:
        pages = [process.scrape() for process in world.processes.values()]
        polls = sum(value for page in pages for _, value in page.values(POLLS))
        counted.append(Work(cluster.trace.counts["request"], polls, database.commits, database.others))

    def schedule(cluster: ClusterState, world: ReplicaWorld) -> None:
        for moment in (cluster.begins, cluster.faults_until - 1.0):
            cluster.clock.at(moment, lambda: count(world))

    _run(ReplicaWorld(cluster, schedule, replicas))
    before, after = counted
    return Work(
        after.requests - before.requests,
        after.polls - before.polls,
        after.commits - before.commits,
        after.others - before.others,
    )


def measure_take_over(seed: int) -> float:
    """Kill one of three replicas, and return the seconds for which one of its targets had no fresh owner."""
    cluster = ClusterState(seed, None, 2.0)

    def kill(cluster: ClusterState, world: ReplicaWorld) -> None:
        moment = cluster.begins + cluster.rng.uniform(0.0, MINUTE / 2)
        cluster.clock.at(moment, lambda: world.kill("a", 10 * MINUTE))

    world = ReplicaWorld(cluster, kill)
    _run(world)
    return world.checker.ownership.longest_gap


def _run(world: ReplicaWorld) -> None:
    try:
        world.run()
    finally:
        world.close()
