"""Commits of everything that waits, in one transaction for all targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.store.postgresql import leases
from exporter.store.postgresql.rows import write_changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.store.postgresql.coordinator import Coordinator
    from exporter.store.postgresql.partition import Partition
    from exporter.store.postgresql.session import Session

MAX_ROUNDS = 3  # of commits, until nothing waits: one that was refused may be repeated after a beat


class Commits:
    """Writes the changes of the targets that a replica owns."""

    def __init__(self, session: Session, coordinator: Coordinator) -> None:
        self._session = session
        self._coordinator = coordinator

    def commit_all(self) -> None:
        """Commit all changes. A refused commit looks at the epoch, by a beat, before its target is given up."""
        for _ in range(MAX_ROUNDS):
            waiting = [each for each in self._coordinator.partitions.values() if each.has_unwritten()]
            if not waiting or self._commit(waiting):
                return
            self._coordinator.beat()

    def _commit(self, partitions: Sequence[Partition]) -> bool:
        """Commit the changes of partitions in one transaction; return whether none was refused."""
        by_key = {partition.row.key: (partition, partition.changes()) for partition in partitions}
        with self._session.transaction() as transaction:
            epochs = {key: partition.row.epoch for key, (partition, _) in by_key.items()}
            revisions = leases.fence(transaction, self._coordinator.replica.id, epochs)
            for key in revisions:
                write_changes(transaction, key, by_key[key][1])
        for key, revision in revisions.items():
            partition, changes = by_key[key]
            partition.mark_committed(changes, revision)
        return len(revisions) == len(by_key)
