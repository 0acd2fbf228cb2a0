"""Commits all waiting changes, in one transaction for all targets whose changes the database accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.store.postgresql import leases
from exporter.store.postgresql.errors import RejectedError
from exporter.store.postgresql.rows import write_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.store.postgresql.coordinator import Coordinator
    from exporter.store.postgresql.partition import Partition
    from exporter.store.postgresql.session import Session

logger = structlog.get_logger()

MAX_ROUNDS = 3  # of commits, until no changes wait; a refused commit may be repeated after a beat


class Commits:
    """Writes the changes of the targets that a replica owns.

    A target whose rows the database rejects must not delay the others. Example: an operator has locked one of its rows,
    so the transaction of all targets fails after the lock timeout. The next call commits the targets one by one until
    one is rejected. After that, the others are committed together, before the rejected one. A call ends with the first
    rejection, so that the next beat is delayed by one timeout at most.
    """

    def __init__(self, session: Session, coordinator: Coordinator) -> None:
        self._session = session
        self._coordinator = coordinator
        self._rejected: list[str] = []
        """The targets whose last commit was rejected, by key."""
        self._must_separate = False
        """Whether it is still unknown which one of several targets was rejected."""

    def commit_all(self) -> None:
        """Commit all changes. After a refused commit, a beat reads the epoch before the target is given up.

        Raise RejectedError if the database rejects the changes of a target. Further calls then commit the others.
        """
        for _ in range(MAX_ROUNDS):
            waiting = {key: each for key, each in self._coordinator.partitions.items() if each.has_unwritten()}
            if self._commit_waiting(waiting):
                return
            self._coordinator.beat()

    def commit_accepted(self, may_continue: Callable[[], bool]) -> str:
        """Commit all changes that the database accepts; return why others were rejected."""
        while True:
            try:
                self.commit_all()
            except RejectedError as error:
                if not (self._has_others() and may_continue()):
                    return str(error)
            else:
                return ""

    def _has_others(self) -> bool:
        """Return whether changes are waiting that were not rejected."""
        waiting = (key for key, each in self._coordinator.partitions.items() if each.has_unwritten())
        return self._must_separate or any(key not in self._rejected for key in waiting)

    def _commit_waiting(self, waiting: Mapping[str, Partition]) -> bool:
        """Commit partitions by key; return True if none was refused."""
        self._rejected = [key for key in self._rejected if key in waiting]
        accepted = self._commit_together([each for key, each in waiting.items() if key not in self._rejected])
        alone = [self._commit_alone(waiting[key]) for key in self._rejected]
        return accepted and all(alone)

    def _commit_together(self, partitions: Sequence[Partition]) -> bool:
        if self._must_separate:
            self._must_separate = False
            return min([self._commit_alone(partition) for partition in partitions], default=True)
        try:
            return not partitions or self._commit(partitions)
        except RejectedError:
            self._must_separate = True
            raise

    def _commit_alone(self, partition: Partition) -> bool:
        key = partition.row.key
        self._rejected = [other for other in self._rejected if other != key]
        try:
            return self._commit([partition])
        except RejectedError as error:
            self._rejected.append(key)  # moved to the end, so that the next call tries another one first
            raise RejectedError(f"target {key}: {error}") from error

    def _commit(self, partitions: Sequence[Partition]) -> bool:
        """Commit the changes of partitions in one transaction; return True if none was refused."""
        by_key = {partition.row.key: (partition, partition.changes()) for partition in partitions}
        with self._session.transaction() as transaction:
            epochs = {key: partition.row.epoch for key, (partition, _) in by_key.items()}
            revisions = leases.fence(transaction, self._coordinator.replica.id, epochs)
            for key in revisions:
                write_changes(transaction, key, by_key[key][1])
        for key, revision in revisions.items():
            partition, changes = by_key[key]
            has_lost_commits = revision <= partition.row.revision
            partition.mark_committed(changes, revision)
            if has_lost_commits:  # behind a pooler, a failover does not end the session
                logger.warning("database has lost commits, writing the target again", target=key)
                partition.rewrite()
        return len(revisions) == len(by_key)
