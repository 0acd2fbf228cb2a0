"""The state in SQLite: the history of every source, resolved names, and the sources that discovery found.

State is written to disk before the metrics that follow from it are published. So a counter never decreases, not even
after a power failure. While the disk rejects writes, changes are kept in memory, and are written with the next write
that succeeds.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

import structlog

from exporter.domain.units import DAY
from exporter.errors import StartupError
from exporter.store import codec
from exporter.store.kv_table import KvTable
from exporter.store.sqlite_file import (
    MEMORY,
    UnreadableError,
    connect,
    copy_to_memory,
    lock_file,
    move_aside,
    translate_error,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.domain.snapshots import SavedSource
    from exporter.domain.source_history import SourceHistory, TrackedJob

__all__ = ["MEMORY", "Store"]

UNWATCHED_RETENTION = 30 * DAY  # a source that was not watched for this long is removed

logger = structlog.get_logger()


class Store:
    """The state of one exporter. Thread-safe."""

    def __init__(self, path: str, on_write_failure: Callable[[], None], *, as_copy: bool = False) -> None:
        """Open or create the state file. Raise StartupError if it is in use or not accessible.

        `as_copy` opens a copy in memory of the current file. It needs no lock, and changes to it are not saved.
        """
        self._path = path
        self._on_write_failure = on_write_failure
        self._mutex = threading.Lock()
        self._failing = False
        self._closed = False
        self._pending: dict[str, SourceHistory] = {}
        self._names, self._targets = KvTable("name"), KvTable("target")
        self._sources = KvTable("data_source", codec.load_saved_source)
        self._tables = (self._names, self._targets, self._sources)
        self._is_copy = as_copy
        self._lock = None if as_copy else lock_file(path)
        try:
            self._open_or_replace()
        except StartupError:
            self._unlock()
            raise

    @property
    def is_written(self) -> bool:
        """Whether the last write succeeded."""
        return not self._failing

    def has_unwritten(self) -> bool:
        """Return whether there is state in memory that is not written to disk."""
        return bool(self._pending or any(table.has_pending for table in self._tables))

    def history(self, key: str) -> SourceHistory | None:
        """Return a source's history."""
        with self._mutex:
            return self._pending.get(key) or self._written.get(key)

    def name(self, key: str) -> str | None:
        """Return a resolved name."""
        with self._mutex:
            return self._names.get(key)

    def save_name(self, key: str, name: str) -> None:
        """Save a resolved name."""
        self._save(self._names, key, name)

    def watched_since(self, target: str) -> float | None:
        """Return when a target was first watched, on AWS's clock."""
        with self._mutex:
            text = self._targets.get(f"watched since/{target}")
        return float(text) if text else None

    def save_watched_since(self, target: str, moment: float) -> None:
        """Save when a target was first watched."""
        self._save(self._targets, f"watched since/{target}", repr(moment))

    def account(self, target: str) -> str | None:
        """Return the account that was last saved for a target."""
        with self._mutex:
            return self._targets.get(f"account/{target}")

    def save_account(self, target: str, account: str) -> None:
        """Save the account of a target."""
        self._save(self._targets, f"account/{target}", account)

    def saved_sources(self, target: str) -> list[SavedSource]:
        """Return the data sources of a target as they were last found."""
        with self._mutex:
            sources = [codec.load_saved_source(text) for _, text in self._sources.items()]
        return [saved for saved in sources if saved.source.target == target]

    def save_source(self, key: str, saved: SavedSource | None) -> None:
        """Save a data source as it was found; None deletes it."""
        self._save(self._sources, key, codec.dump_saved_source(saved) if saved else None)

    def commit(self, histories: Mapping[str, SourceHistory]) -> None:
        """Write histories, by source. A failed write is counted, logged once, and retried with the next write."""
        with self._mutex:
            for key, history in histories.items():
                if (self._pending.get(key) or self._written.get(key)) is not history:
                    self._pending[key] = history
            self._flush()

    def remove_unwatched(self, watched: set[str], now: float) -> None:
        """Remove the sources that are not in `watched`, and were not polled within UNWATCHED_RETENTION."""
        with self._mutex:
            oldest = now - UNWATCHED_RETENTION
            removed = [k for k, h in self._written.items() if k not in watched and h.as_of < oldest]
            try:
                with self._db as db:
                    db.execute("BEGIN IMMEDIATE")
                    db.executemany("DELETE FROM job WHERE source = ?", ((key,) for key in removed))
                    db.executemany("DELETE FROM source WHERE key = ?", ((key,) for key in removed))
            except sqlite3.Error as error:
                self._handle_failure(error)
                return  # the next start tries again
            for key in removed:
                del self._written[key]
            for key, _ in list(self._sources.items()):
                if key not in watched and key not in self._written:
                    self._sources.put(key, None)
            self._flush()
        if removed:
            logger.info("unwatched data sources removed from the state", count=len(removed))

    def close(self) -> None:
        """Write what is pending, close the file and release its lock."""
        with self._mutex:
            if self._closed:
                return
            self._flush()
            self._closed = True
            self._db.close()
        self._unlock()

    def _save(self, table: KvTable, key: str, text: str | None) -> None:
        with self._mutex:
            table.put(key, text)
            self._flush()

    def _unlock(self) -> None:
        if self._lock:
            self._lock.close()

    def _open_or_replace(self) -> None:
        try:
            self._open()
        except UnreadableError as error:
            if self._is_copy:
                raise StartupError(f"state file {self._path} cannot be read: {error}") from error
            moved_to = move_aside(self._path)
            message = "state file unreadable, starting with an empty one"
            logger.warning(message, path=self._path, moved_to=moved_to, error=str(error))
            self._open()

    def _open(self) -> None:
        self._db = copy_to_memory(self._path) if self._is_copy else connect(self._path)
        try:
            self._written = _load(self._path, self._db, self._tables)
        except (UnreadableError, StartupError):
            self._db.close()
            raise

    def _flush(self) -> None:
        """Write everything that is pending in one transaction; the caller holds the mutex."""
        if self._closed or not self.has_unwritten():
            return
        try:
            with self._db as db:
                db.execute("BEGIN IMMEDIATE")
                for key, history in self._pending.items():
                    _write(db, key, self._written.get(key), history)
                for table in self._tables:
                    table.write(db)
        except sqlite3.Error as error:
            self._handle_failure(error)
            return
        self._written |= self._pending
        self._pending = {}
        for table in self._tables:
            table.mark_written()
        if self._failing:
            self._failing = False
            logger.info("state write works again", path=self._path)

    def _handle_failure(self, error: sqlite3.Error) -> None:
        self._on_write_failure()
        if not self._failing:
            self._failing = True
            logger.error("state write failed, keeping changes in memory", path=self._path, error=str(error))


def _write(db: sqlite3.Connection, key: str, before: SourceHistory | None, after: SourceHistory) -> None:
    """Write the totals of a source, and the jobs that differ from those that are written."""
    written: Mapping[str, TrackedJob] = before.jobs if before else {}
    db.execute("INSERT OR REPLACE INTO source VALUES (?, ?)", (key, codec.dump_totals(after)))
    changed = [(key, id_, codec.dump_job(job)) for id_, job in after.jobs.items() if written.get(id_) != job]
    db.executemany("INSERT OR REPLACE INTO job VALUES (?, ?, ?)", changed)
    evicted = [(key, id_) for id_ in written.keys() - after.jobs.keys()]
    db.executemany("DELETE FROM job WHERE source = ? AND execution_id = ?", evicted)


def _load(path: str, db: sqlite3.Connection, tables: Iterable[KvTable]) -> dict[str, SourceHistory]:
    """Load all tables and return the histories. Raise UnreadableError or StartupError."""
    try:
        (health,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if health != "ok":
            raise UnreadableError(health)
        jobs: dict[str, dict[str, TrackedJob]] = defaultdict(dict)
        for source, execution_id, state in db.execute("SELECT source, execution_id, state FROM job"):
            jobs[source][execution_id] = codec.load_job(state)
        rows = db.execute("SELECT key, totals FROM source").fetchall()
        for table in tables:
            table.load(db)
        return {key: codec.load_history(totals, jobs[key]) for key, totals in rows}
    except sqlite3.Error as error:
        raise translate_error(path, error) from error
    except codec.UNREADABLE as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from error
