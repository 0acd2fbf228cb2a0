"""Replicas with random events from a seed: no count is lost, and one owner at a time is fresh.

Each invariant can fail: planted defects in the protocol prove it.
"""

from __future__ import annotations

import random
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

import psycopg
import pytest

from exporter.domain.replicas import LEASE_SECONDS, OUTAGE_GRACE
from exporter.errors import StoppedError
from exporter.store.postgresql import coordinator, leases
from exporter.store.postgresql.coordinator import Coordinator
from exporter.store.postgresql.partition import Partition
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.postgresql import PostgreSqlServer

TARGETS = (1, 2, 3, 4)
TABLES = ("target", "source", "job", "note")
STEPS = 60


class ThreeReplicas:
    """Three replicas, the jobs that have ended at AWS, and the published counts; a context manager."""

    def __init__(self, url: str, seed: int) -> None:
        self._random = random.Random(seed)
        self._url = url
        self._replicas: list[SteppedReplica] = []
        self._started = 0
        self._running = ExitStack()
        self._ended = dict.fromkeys(TARGETS, 0)
        self._durable = dict.fromkeys(TARGETS, 0)
        """The counts that were committed, and so may have been scraped."""

    def __enter__(self) -> Self:
        """Start the replicas."""
        self._database = self._running.enter_context(psycopg.connect(self._url, autocommit=True))
        self._replicas = [self._start() for _ in range(3)]
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect all."""
        self._running.close()

    def run(self) -> None:
        """Run random events, and check the invariants after each of them and at the end."""
        events = (self._beat, self._poll, self._poll, self._lapse, self._replace, self._hand_over, self._fail_over)
        weights = (6, 8, 8, 2, 1, 3, 1)
        for _ in range(STEPS):
            self._random.choices(events, weights)[0](self._random.choice(self._replicas))
            self._check_fresh()
        self._balance()

    def _start(self) -> SteppedReplica:
        self._started += 1
        return self._running.enter_context(SteppedReplica(self._url, f"r{self._started}", *map(target, TARGETS)))

    def _beat(self, replica: SteppedReplica) -> None:
        before = set(replica.owned)
        replica.beat()
        replica.commit_all()
        for number in TARGETS:
            if key(number) in replica.owned - before:
                assert self._count(replica.partition(number)) >= self._durable[number], "counts were lost"

    def _poll(self, replica: SteppedReplica) -> None:
        """Poll a target that the replica believes to own; all published counts must be committed."""
        for number in TARGETS:
            self._ended[number] += self._random.randint(0, 1)
            partition = replica.coordinator.partitions.get(key(number))
            if partition and self._count(partition) < self._ended[number]:
                known = self._count(partition)
                with suppress(StoppedError):
                    partition.commit({KEY: make_history(self._ended[number])})
                    assert known >= self._durable[number], "a late write was published"
                    self._durable[number] = self._ended[number]

    def _lapse(self, replica: SteppedReplica) -> None:
        """End the lease of a replica, because it was suspended or cut off; its clock shows that."""
        replica.now += LEASE_SECONDS
        self._execute("UPDATE replica SET until = clock_timestamp() - interval '1 ms' WHERE id = %s", replica.id)

    def _replace(self, replica: SteppedReplica) -> None:
        """Stop a replica, and start another one."""
        replica.coordinator.leave()
        self._replicas[self._replicas.index(replica)] = self._start()

    def _hand_over(self, replica: SteppedReplica) -> None:
        replica.run_targets()
        for leaving in list(replica.coordinator.leaving):
            replica.coordinator.hand_over(replica.coordinator.partitions[leaving])

    def _fail_over(self, replica: SteppedReplica) -> None:
        """Continue with a database that lacks the last commits and take-overs; all replicas notice it."""
        self._beat_after_grace()
        for table in TABLES:
            self._execute(f"CREATE TEMP TABLE old_{table} AS TABLE {table}")
        self._lapse(replica)
        for _ in range(2):
            for each in self._replicas:
                if each is not replica:
                    self._beat(each)
                    self._poll(each)
        self._execute("DELETE FROM target")
        for table in TABLES:
            self._execute(f"INSERT INTO {table} TABLE old_{table}")
            self._execute(f"DROP TABLE old_{table}")
        for each in sorted(self._replicas, key=lambda each: each is replica):
            each.now += OUTAGE_GRACE / 2
            self._beat(each)

    def _beat_after_grace(self) -> None:
        for replica in self._replicas:
            replica.now += OUTAGE_GRACE
            self._beat(replica)

    def _balance(self) -> None:
        """Send beats until no target moves. Each target has one owner, with all counts, and the load is balanced."""
        for _ in range(8):
            self._beat_after_grace()
            for replica in self._replicas:
                self._hand_over(replica)
        for number in TARGETS:
            owners = [replica for replica in self._replicas if key(number) in replica.owned]
            assert len(owners) == 1, f"target {number} has {len(owners)} owners"
            assert self._count(owners[0].partition(number)) >= self._durable[number], "counts were lost"
        loads = [len(replica.owned) for replica in self._replicas]
        assert max(loads) - min(loads) <= 1, f"targets are not balanced: {loads}"

    def _check_fresh(self) -> None:
        for number in TARGETS:
            fresh = [each for each in self._replicas if key(number) in each.owned and each.coordinator.is_fresh()]
            assert len(fresh) <= 1, f"target {number} has {len(fresh)} fresh owners"

    @staticmethod
    def _count(partition: Partition) -> int:
        history = partition.history(KEY)
        return history.completed.get("FAILED", 0) if history else 0

    def _execute(self, sql: str, *parameters: object) -> None:
        self._database.execute(sql, parameters)  # type: ignore[arg-type, unused-ignore]  # SQL of a test


def run_worlds(server: PostgreSqlServer, *seeds: int) -> None:
    """Run worlds, each in its own database."""
    for seed in seeds:
        with ThreeReplicas(server.create_database(), seed) as world:
            world.run()


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_lost_whatever_happens(postgresql: PostgreSqlServer, seed: int) -> None:
    """Beats, polls, lapsed leases, restarts, hand-overs and failovers come in any order."""
    run_worlds(postgresql, seed)


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """Accept the commits of every replica."""
    patch.setattr(leases, "fence", lambda _, __, epochs: dict.fromkeys(epochs, 1))


def no_withdrawal(patch: pytest.MonkeyPatch) -> None:
    """Keep the targets of a replica, even if the database has other owners."""
    patch.setattr(Coordinator, "_compare", lambda *_: None)


def endless_lease(patch: pytest.MonkeyPatch) -> None:
    """Treat every owner as alive."""
    patch.setattr(leases, "find_alive", lambda _, replicas: set(replicas))


def no_load(patch: pytest.MonkeyPatch) -> None:
    """Start from an empty state after a take-over."""
    patch.setattr(Partition, "load", lambda *_: None)


def no_deadline(patch: pytest.MonkeyPatch) -> None:
    """Report every owner as fresh."""
    patch.setattr(Coordinator, "is_fresh", lambda _: True)


def no_balance(patch: pytest.MonkeyPatch) -> None:
    """Keep every target, even if others own fewer."""
    patch.setattr(coordinator, "choose_surplus", lambda *_: None)


def no_rewrite(patch: pytest.MonkeyPatch) -> None:
    """Write nothing again after a failover."""
    patch.setattr(Partition, "rewrite", lambda _: None)


def no_assertion(patch: pytest.MonkeyPatch) -> None:
    """Lose a target whose epoch fell."""
    patch.setattr(Coordinator, "_assert", lambda self, partition, _: self._lose(partition, ""))


@pytest.mark.parametrize(
    "defect",
    [no_fence, no_withdrawal, endless_lease, no_load, no_deadline, no_balance, no_rewrite, no_assertion],
)
def test_a_planted_defect_is_found(
    postgresql: PostgreSqlServer, monkeypatch: pytest.MonkeyPatch, defect: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """The same worlds fail without any one rule of the protocol."""
    defect(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        run_worlds(postgresql, *range(20))
