"""All tables of the state in memory, and the changes that the next transaction writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.store import source_codec
from exporter.store.history_table import HistoryTable
from exporter.store.kv_table import KvTable
from exporter.store.target_table import TargetTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from exporter.store.row_changes import Row, RowChanges


@dataclass(frozen=True, slots=True)
class StateChanges:
    """The changes of all tables. With `replaces_all`, a transaction first deletes every row of the state.

    `pending` is for `mark_written`.
    """

    replaces_all: bool
    rows: Sequence[RowChanges]
    pending: Sequence[Mapping[str, Any]]


class StateTables:
    """The tables that a store reads from a database and writes to it. Not thread-safe."""

    def __init__(self) -> None:
        self.histories = HistoryTable()
        self.names, self.targets = KvTable("name"), TargetTable()
        self.sources = KvTable("data_source", source_codec.load_saved_source)
        self.documents = KvTable("documents", source_codec.load_documents)
        self._is_lost = False

    def load(self, read: Callable[[str], Iterable[Row]]) -> None:
        """Load all rows, which `read` returns by table; raise one of `codec.UNREADABLE` if one is not valid."""
        self.histories.load(read("source"), read("job"))
        self.names.load(read("name"))
        self.targets.load(read("target"))
        self.sources.load(read("data_source"))
        self.documents.load(read("documents"))

    @property
    def has_pending(self) -> bool:
        """Whether there are changes that are not written yet."""
        return self._is_lost or any(table.has_pending for table in self._tables)

    def changes(self) -> StateChanges:
        """Return the changes that are not written yet."""
        pending: list[Mapping[str, Any]] = [table.pending() for table in self._tables]
        histories, *others = pending
        kv_rows = (table.rows(changes) for table, changes in zip(self._kv_tables, others, strict=True))
        return StateChanges(self._is_lost, (*self.histories.rows(histories), *kv_rows), pending)

    def mark_written(self, changes: StateChanges) -> None:
        """Record that the transaction with these changes was committed."""
        for table, pending in zip(self._tables, changes.pending, strict=True):
            table.mark_written(pending)
        self._is_lost = False

    def mark_lost(self) -> None:
        """Record that all written rows were lost. The next changes replace all rows of the database."""
        self._is_lost = True
        for table in self._tables:
            table.mark_lost()

    @property
    def _kv_tables(self) -> tuple[KvTable, ...]:
        return self.names, self.targets, self.sources, self.documents

    @property
    def _tables(self) -> tuple[HistoryTable | KvTable, ...]:
        return (self.histories, *self._kv_tables)
