"""The state of one target, which this replica owns until another replica acquires it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from exporter.domain.target_identity import account_of
from exporter.errors import StoppedError
from exporter.store.table_store import TableStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.replicas import TargetRow
    from exporter.store.state_rows import StateRows
    from exporter.store.state_tables import StateChanges


class PartitionWriter(Protocol):
    """Writes the changes of partitions in its own thread."""

    def write(self, partition: Partition, *, wait: bool) -> None:
        """Write the pending changes soon; with `wait`, return after the write, or if the database is unreachable."""

    def identify(self, partition: Partition, target: str, account: str, identity: str) -> None:
        """Record the account of a target, and with it the key of its partition."""


class Partition(TableStore):
    """The state of all sources of one target.

    A commit raises StoppedError once another replica owns the target, so that this replica publishes nothing that it
    cannot commit. The thread that polls the target then ends.
    """

    def __init__(self, row: TargetRow, writer: PartitionWriter) -> None:
        super().__init__()
        self.row = row
        """The row of the target as this replica last wrote it. Only the thread of the writer uses it."""
        self.claimed_epoch: int | None = None
        """The epoch with which this replica last asserted the target. Only the thread of the writer uses it."""
        self._writer = writer
        self._is_open = True
        self._has_marker = False
        self.exposed: Mapping[str, float] = {}
        """Of each source, the last poll that this replica has exposed, if it lost the target before it was written."""
        self.is_restored = False
        """Whether this replica exposes the sources of the target."""

    @property
    def is_open(self) -> bool:
        """Whether this replica owns the target, as far as it knows."""
        return self._is_open

    def load(self, rows: StateRows) -> None:
        """Continue with the rows of the target; raise one of `codec.UNREADABLE` if one is not valid."""
        self._tables.load(rows.__getitem__)

    def close(self) -> None:
        """Reject all changes from now on."""
        self._is_open = False

    def has_unwritten(self) -> bool:
        """Return whether the next commit has something to write."""
        return self._has_marker or super().has_unwritten()

    def unwritten_sources(self) -> int:
        """Return the number of data sources whose last polls or counts are not written."""
        with self._mutex:
            return len(self._tables.histories.pending())

    def unwritten_polls(self) -> dict[str, float]:
        """Return the times of polls with changes that are not written, by source, on AWS's clock."""
        with self._mutex:
            pending = self._tables.histories.pending()
        return {key: history.as_of for key, history in pending.items() if history}

    def exposed_until(self, key: str) -> float | None:
        """Return the time of the last poll of a source that this replica has exposed and lost; None without one."""
        return self.exposed.get(key)

    def mark_restored(self) -> None:
        """Commit without a change, so that the previous owner knows that this replica exposes the sources."""
        self.is_restored = self._has_marker = True
        self._writer.write(self, wait=False)

    def changes(self) -> StateChanges:
        """Return the changes for a transaction."""
        with self._mutex:
            self._has_marker = False
            return self._tables.changes()

    def mark_committed(self, changes: StateChanges, revision: int) -> None:
        """Record that the transaction with these changes was committed."""
        self.row = replace(self.row, revision=revision)
        with self._mutex:
            self._tables.mark_written(changes)

    def rewrite(self) -> None:
        """Write the whole state again, because the database has lost commits."""
        with self._mutex:
            self._tables.mark_lost()

    def account(self, target: str) -> str | None:
        """Return the account of the target."""
        return super().account(target) or account_of(self.row.key)

    def save_account(self, target: str, account: str, identity: str) -> None:
        """Save the account of the target with a name, and so the identity of the target."""
        super().save_account(target, account, identity)
        self._writer.identify(self, target, account, identity)

    def _write(self, *, wait: bool) -> None:
        if self.has_unwritten():
            self._writer.write(self, wait=wait)
        if wait and not self._is_open:
            raise StoppedError
