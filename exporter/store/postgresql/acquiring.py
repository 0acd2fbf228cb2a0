"""Acquires targets without an owner."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from exporter.domain.replicas import TargetRow
from exporter.store.postgresql import leases
from exporter.store.postgresql.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.domain.epoch_memory import EpochMemory
    from exporter.store.postgresql.session import Session, Transaction

logger = structlog.get_logger()


class TargetAcquirer:
    """Makes a replica the owner of targets, in one transaction.

    If another session holds a lock on rows, the acquisition is delayed. The beat must not fail then, because a failed
    beat would stop the commits of targets that the replica already owns.
    """

    def __init__(self, session: Session, replica: str, epochs: EpochMemory) -> None:
        self._session = session
        self._replica = replica
        self._epochs = epochs

    def acquire(self, keys: Sequence[str], rows: Mapping[str, TargetRow]) -> Sequence[TargetRow]:
        """Return the new rows of the acquired targets; `rows` are the rows that were read before."""
        seen = [rows.get(key) or TargetRow(key, None, 0, 0) for key in keys]
        try:
            return self._session.run(lambda transaction: self._acquire(transaction, seen)) if seen else ()
        except RejectedError as error:
            logger.warning("targets without an owner not acquired, trying again", targets=keys, error=str(error))
            return ()

    def _acquire(self, transaction: Transaction, seen: Sequence[TargetRow]) -> Sequence[TargetRow]:
        alive = leases.find_alive(transaction, {row.owner for row in seen if row.owner})
        locked = leases.lock_targets(transaction, [row.key for row in seen])
        taken = []
        for row in seen:
            if row.owner not in alive and (row.key in locked or not row.epoch):
                mine = replace(row, owner=self._replica, epoch=self._epochs.next_epoch(row))
                taken.append(leases.own(transaction, mine, row.epoch))
        return [row for row in taken if row]
