"""Loads the states of targets that a replica owns, and records which ones it cannot read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.store import codec
from exporter.store.postgresql.partition import Partition
from exporter.store.postgresql.rows import read_state

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from exporter.domain.replicas import TargetRow
    from exporter.store.postgresql.partition import PartitionWriter
    from exporter.store.postgresql.session import Session

REREAD_INTERVAL = 60.0  # seconds between two attempts to read unreadable rows

logger = structlog.get_logger()


class PartitionLoader:
    """Reads the rows of targets.

    A target with unreadable rows stays owned and is not polled. A poll would begin with an empty state, count jobs
    again and replace the rows. The rows are read again at an interval, so that a repair needs no restart.
    """

    def __init__(self, session: Session, boot_time: Callable[[], float], writer: PartitionWriter) -> None:
        self._session = session
        self._boot_time = boot_time
        self._writer = writer
        self._reread_at: dict[str, float] = {}
        self._exposed: dict[str, dict[str, float]] = {}
        self.unreadable: dict[str, str] = {}
        """The errors of targets with unreadable rows, by key. Other threads may read it."""

    def is_waiting(self, key: str) -> bool:
        """Return whether it is too early to read the rows of a target again."""
        return self._boot_time() < self._reread_at.get(key, float("-inf"))

    def load(self, row: TargetRow) -> Partition | None:
        """Return the state of a target; None if its rows cannot be read."""
        partition = Partition(row, self._writer)
        rows = self._session.run(lambda transaction: read_state(transaction, row.key))
        try:
            partition.load(rows)  # this is after the transaction, which must not be idle while rows are parsed
        except codec.UNREADABLE as error:
            self._reject(row.key, f"{type(error).__name__}: {error}")
            return None
        self._forget({row.key})
        partition.exposed = self._exposed.get(row.key, {})
        return partition

    def lost(self, partition: Partition) -> None:
        """Remember what this replica has exposed of a target and never written.

        If it gets the target back, the rows may be older than that. Until a poll, counters would be lower then.
        """
        exposed = self._exposed.get(partition.row.key, {})
        self._exposed[partition.row.key] = {**exposed, **partition.unwritten_polls()}

    def keep(self, owned: Collection[str]) -> None:
        """Forget the targets that this replica does not own any more."""
        self._forget(self.unreadable.keys() - owned)

    def _reject(self, key: str, error: str) -> None:
        if key not in self.unreadable:
            logger.error("state of the target unreadable, not polling it", target=key, error=error)
        self.unreadable = {**self.unreadable, key: error}
        self._reread_at[key] = self._boot_time() + REREAD_INTERVAL

    def _forget(self, keys: Collection[str]) -> None:
        self.unreadable = {key: error for key, error in self.unreadable.items() if key not in keys}
        for key in keys:
            self._reread_at.pop(key, None)
