"""A replica without threads: the test decides when it beats, and moves its clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from exporter.domain.replicas import Replica
from exporter.domain.target_identity import ConfiguredTarget
from exporter.runtime import System
from exporter.store.postgresql import DatabaseSettings
from exporter.store.postgresql.commits import Commits
from exporter.store.postgresql.coordinator import Coordinator
from exporter.store.postgresql.retention import CHECK_INTERVAL, Retention
from exporter.store.postgresql.schema import prepare
from exporter.store.postgresql.session import Session
from exporter.store.postgresql.watchdog import Watchdog

if TYPE_CHECKING:
    from exporter.store.postgresql.partition import Partition


def target(number: int) -> ConfiguredTarget:
    """Return a target with its own account."""
    return ConfiguredTarget(f"t{number}", "qbusiness", "us-east-1", f"{number:012}")


def key(number: int) -> str:
    """Return the key of a target in the database."""
    return f"qbusiness/{number:012}/us-east-1"


class SteppedReplica:
    """The coordinator and the commits of a replica; a context manager that disconnects.

    Its name is its id, so that the choices of replicas are the same in each run of a test.
    """

    def __init__(self, url: str, name: str, *targets: ConfiguredTarget, deadline: float = 5.0) -> None:
        self.now = 0.0
        """The time on the clock of the host; the lease in the database follows the clock of the database."""
        self._watchdog = Watchdog(System(), deadline)
        self.session = Session(DatabaseSettings(url), self._watchdog, lambda _: "")
        self.id = name
        self.coordinator = Coordinator(self.session, Replica(name, name), lambda: self.now, self)
        self.coordinator.keys.configured = targets
        self._commits = Commits(self.session, self.coordinator)
        self._retention = Retention(self.session, lambda: self.now, name)
        prepare(self.session)

    def __enter__(self) -> Self:
        """Return the replica, which has not beaten yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect without a hand-over."""
        self.session.close()
        self._watchdog.stop()

    @property
    def owned(self) -> set[str]:
        """The keys of the targets that this replica believes to own."""
        return set(self.coordinator.partitions)

    def partition(self, number: int = 1) -> Partition:
        """Return the state of a target that this replica owns."""
        return self.coordinator.partitions[key(number)]

    def beat(self, *, after_outage: bool = False) -> set[str]:
        """Renew the lease, acquire free targets, and return the owned ones."""
        while self.coordinator.beat(after_outage=after_outage):
            pass
        return self.owned

    def run_targets(self) -> None:
        """Record that the targets are running, as the program does once it exposes their sources."""
        for partition in self.coordinator.partitions.values():
            if not partition.is_restored:
                partition.mark_restored()

    def commit_all(self) -> None:
        """Commit waiting changes."""
        self._commits.commit_all()

    def clean_up(self) -> None:
        """Delete a part of the unneeded rows, an hour later."""
        self.now += CHECK_INTERVAL
        self.beat()
        self.continue_clean_up()

    def continue_clean_up(self) -> None:
        """Delete the next part, if there is more."""
        self._retention.check(self.coordinator.members)

    def write(self, partition: Partition, *, wait: bool) -> None:  # noqa: ARG002 (the protocol's)
        """Commit immediately if the caller waits for it, as the thread of the writer does."""
        if wait:
            self.commit_all()

    def identify(self, partition: Partition, target: str, account: str, identity: str) -> None:
        """Record the account of a target."""
        self.coordinator.identify(partition, target, account, identity)
