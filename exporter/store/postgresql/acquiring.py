"""Acquires targets without an owner."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from exporter.domain.replicas import FreeTargets, TargetRow, without_owner
from exporter.store.postgresql import leases
from exporter.store.postgresql.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.domain.epoch_memory import EpochMemory
    from exporter.domain.replicas import Membership, Replica
    from exporter.store.postgresql.session import Session, Transaction

MAX_UNEXPOSED = 20  # targets that a replica owns and does not expose yet

logger = structlog.get_logger()


class TargetAcquirer:
    """Makes a replica the owner of free targets, so few in a transaction that the next beat is not late.

    A replica acquires no more targets until it exposes most of those that it has acquired before. Example: the first
    of four replicas is two seconds ahead. It could acquire most of 200 targets in these seconds. It would then load
    them one after the other, while the other replicas have none.
    """

    def __init__(self, session: Session, epochs: EpochMemory) -> None:
        self._session = session
        self._epochs = epochs
        self._free = FreeTargets()
        self.are_free = False
        """Whether there were targets without an owner at the last beat."""
        self.has_left = False
        """Whether the replica has left free targets to later beats."""

    def acquire(self, members: Membership, replica: Replica, now: float, unexposed: int) -> Sequence[TargetRow]:
        """Return the new rows of the acquired targets.

        `members` is what the last beat has read, and `unexposed` is the number of targets that the replica owns and
        does not expose yet.
        """
        rows = members.targets
        free = {key for key in without_owner(members) if not self._epochs.is_left_alone(key, rows.get(key), now)}
        mine = self._free.choose(members, free, replica, now)
        keys = mine[: max(0, MAX_UNEXPOSED - unexposed)]
        self.are_free, self.has_left = bool(free), len(mine) > len(keys)
        return self._try_acquire(keys, rows, replica.id) if keys else ()

    def _try_acquire(self, keys: Sequence[str], rows: Mapping[str, TargetRow], replica: str) -> Sequence[TargetRow]:
        """Acquire targets, unless another session holds a lock on their rows.

        The beat must not fail then, because a failed beat would stop the commits of targets that the replica already
        owns.
        """
        seen = [rows.get(key) or TargetRow(key, None, 0, 0) for key in keys]
        try:
            return self._session.run(lambda transaction: self._acquire(transaction, seen, replica))
        except RejectedError as error:
            logger.warning("targets without an owner not acquired, trying again", targets=keys, error=str(error))
            return ()

    def _acquire(self, transaction: Transaction, seen: Sequence[TargetRow], replica: str) -> Sequence[TargetRow]:
        alive = leases.find_alive(transaction, {row.owner for row in seen if row.owner})
        locked = leases.lock_targets(transaction, [row.key for row in seen])
        taken = []
        for row in seen:
            if row.owner not in alive and (row.key in locked or not row.epoch):
                mine = replace(row, owner=replica, epoch=self._epochs.next_epoch(row))
                taken.append(leases.own(transaction, mine, row.epoch))
        return [row for row in taken if row]
