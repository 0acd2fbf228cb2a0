"""The histories of all sources in SQLite, in memory too, with those that are not written yet."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from exporter.store import codec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from exporter.domain.source_history import SourceHistory
    from exporter.domain.tracked_job import TrackedJob


class HistoryTable:
    """A row with the totals of each source, and a row for each of its jobs. Not thread-safe."""

    def __init__(self) -> None:
        self._written: dict[str, SourceHistory] = {}
        self._pending: dict[str, SourceHistory] = {}
        self._is_lost = False

    def load(self, db: sqlite3.Connection) -> None:
        """Load all rows; raise one of `codec.UNREADABLE` if one is not valid."""
        jobs: dict[str, dict[str, TrackedJob]] = defaultdict(dict)
        for source, execution_id, state in db.execute("SELECT source, execution_id, state FROM job"):
            jobs[source][execution_id] = codec.load_job(state)
        rows = db.execute("SELECT key, totals FROM source").fetchall()
        self._written = {key: codec.load_history(totals, jobs[key]) for key, totals in rows}

    def get(self, key: str) -> SourceHistory | None:
        """Return a source's history."""
        return self._pending.get(key) or self._written.get(key)

    def put(self, key: str, history: SourceHistory) -> None:
        """Replace a source's history."""
        if self.get(key) is not history:
            self._pending[key] = history

    @property
    def has_pending(self) -> bool:
        """Whether there are histories that are not written yet."""
        return bool(self._pending) or self._is_lost

    def write(self, db: sqlite3.Connection) -> None:
        """Write the pending histories within the caller's transaction."""
        if self._is_lost:
            db.execute("DELETE FROM job")
            db.execute("DELETE FROM source")
        for key, history in self._pending.items():
            _write(db, key, self._written.get(key), history)

    def mark_written(self) -> None:
        """Record that the transaction with the pending histories was committed."""
        self._written |= self._pending
        self._pending, self._is_lost = {}, False

    def mark_lost(self) -> None:
        """Record that nothing is written any more: the next write replaces all rows of the file."""
        self._is_lost = True
        self._written, self._pending = {}, self._written | self._pending

    def unwatched_since(self, time: float, watched: AbstractSet[str]) -> list[str]:
        """Return the written sources that are not in `watched`, and were last polled before a time."""
        return [key for key, history in self._written.items() if key not in watched and history.as_of < time]

    def delete(self, db: sqlite3.Connection, keys: Iterable[str]) -> None:
        """Delete the rows of some sources within the caller's transaction."""
        for key in keys:
            db.execute("DELETE FROM job WHERE source = ?", (key,))
            db.execute("DELETE FROM source WHERE key = ?", (key,))

    def mark_deleted(self, keys: Iterable[str]) -> None:
        """Record that the transaction of `delete` was committed."""
        for key in keys:
            del self._written[key]


def _write(db: sqlite3.Connection, key: str, before: SourceHistory | None, after: SourceHistory) -> None:
    """Write the totals of a source, and the jobs that differ from those that are written."""
    written: Mapping[str, TrackedJob] = before.jobs if before else {}
    db.execute("INSERT OR REPLACE INTO source VALUES (?, ?)", (key, codec.dump_totals(after)))
    changed = [(key, id_, codec.dump_job(job)) for id_, job in after.jobs.items() if written.get(id_) != job]
    db.executemany("INSERT OR REPLACE INTO job VALUES (?, ?, ?)", changed)
    evicted = [(key, id_) for id_ in written.keys() - after.jobs.keys()]
    db.executemany("DELETE FROM job WHERE source = ? AND execution_id = ?", evicted)
