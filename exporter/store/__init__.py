"""What must survive the process: every source's history, and the settled names, in SQLite.

A commit is on the disk before anyone is shown its figures, so that a counter never steps back, not even over a power
loss. While the disk will not take it, figures are kept in memory and written with the next commit that works.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

import structlog

from exporter.errors import StartupError
from exporter.store import codec
from exporter.store.file import MEMORY, UnreadableError, connect, lock, move_aside, what_is_wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.model import KnownJob, SourceHistory

__all__ = ["MEMORY", "Store"]

FORGET = 30 * 86400.0  # a source that nobody watched for so long is dropped

logger = structlog.get_logger()


class Store:
    """The state of one exporter; may be used from any thread."""

    def __init__(self, path: str, on_write_failure: Callable[[], None]) -> None:
        """Open or create the file; raises StartupError where it is in use or its place does not allow it."""
        self._path = path
        self._on_write_failure = on_write_failure
        self._mutex = threading.Lock()
        self._failing = False
        self._closed = False
        self._pending: dict[str, SourceHistory] = {}
        self._pending_names: dict[str, str] = {}
        self._lock = lock(path)
        try:
            self._open_or_begin_anew()
        except StartupError:
            self._unlock()
            raise

    def history(self, key: str) -> SourceHistory | None:
        """Give a source's history."""
        with self._mutex:
            return self._pending.get(key) or self._written.get(key)

    def name(self, key: str) -> str | None:
        """Give a settled name."""
        with self._mutex:
            return self._pending_names.get(key) or self._names.get(key)

    def settle_name(self, key: str, name: str) -> None:
        """Keep a name for good."""
        with self._mutex:
            self._pending_names[key] = name
            self._flush()

    def commit(self, histories: Mapping[str, SourceHistory]) -> None:
        """Write histories, by source, before they are shown; a failure is counted, logged once, and made good later."""
        with self._mutex:
            for key, history in histories.items():
                if (self._pending.get(key) or self._written.get(key)) is not history:
                    self._pending[key] = history
            self._flush()

    def forget(self, watched: set[str], now: float) -> None:
        """Drop the sources that are not watched, and have not been for long."""
        with self._mutex:
            gone = [k for k, h in self._written.items() if k not in watched and h.as_of < now - FORGET]
            if not gone:
                return
            with self._db as db:
                db.executemany("DELETE FROM job WHERE source = ?", ((key,) for key in gone))
                db.executemany("DELETE FROM source WHERE key = ?", ((key,) for key in gone))
            for key in gone:
                del self._written[key]
        logger.info("sources not watched for long were dropped from the state", count=len(gone))

    def close(self) -> None:
        """Write what is still pending and give the file back."""
        with self._mutex:
            if self._closed:
                return
            self._flush()
            self._closed = True
            self._db.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock:
            self._lock.close()

    def _open_or_begin_anew(self) -> None:
        try:
            self._open()
        except UnreadableError as error:
            aside = move_aside(self._path)
            logger.warning("state file cannot be read: begun anew", path=self._path, moved_to=aside, error=str(error))
            self._open()

    def _open(self) -> None:
        self._db = connect(self._path)
        try:
            self._written, self._names = _load(self._path, self._db)
        except (UnreadableError, StartupError):
            self._db.close()
            raise

    def _flush(self) -> None:
        if self._closed or not (self._pending or self._pending_names):
            return
        try:
            with self._db as db:
                db.execute("BEGIN IMMEDIATE")
                for key, history in self._pending.items():
                    _write(db, key, self._written.get(key), history)
                db.executemany("INSERT OR REPLACE INTO name VALUES (?, ?)", self._pending_names.items())
        except sqlite3.Error as error:
            self._note_failure(error)
            return
        self._written |= self._pending
        self._names |= self._pending_names
        self._pending, self._pending_names = {}, {}
        if self._failing:
            self._failing = False
            logger.info("state is written again", path=self._path)

    def _note_failure(self, error: sqlite3.Error) -> None:
        self._on_write_failure()
        if not self._failing:
            self._failing = True
            logger.error("state cannot be written: going on from memory", path=self._path, error=str(error))


def _write(db: sqlite3.Connection, key: str, before: SourceHistory | None, now: SourceHistory) -> None:
    old: Mapping[str, KnownJob] = before.jobs if before else {}
    db.execute("INSERT OR REPLACE INTO source VALUES (?, ?)", (key, codec.dump_totals(now)))
    changed = [(key, id_, codec.dump_job(known)) for id_, known in now.jobs.items() if old.get(id_) != known]
    db.executemany("INSERT OR REPLACE INTO job VALUES (?, ?, ?)", changed)
    dropped = [(key, id_) for id_ in old.keys() - now.jobs.keys()]
    db.executemany("DELETE FROM job WHERE source = ? AND execution_id = ?", dropped)


def _load(path: str, db: sqlite3.Connection) -> tuple[dict[str, SourceHistory], dict[str, str]]:
    try:
        (health,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if health != "ok":
            raise UnreadableError(health)
        jobs: dict[str, dict[str, KnownJob]] = defaultdict(dict)
        for source, execution_id, state in db.execute("SELECT source, execution_id, state FROM job"):
            jobs[source][execution_id] = codec.load_job(state)
        rows = db.execute("SELECT key, totals FROM source").fetchall()
        names = dict(db.execute("SELECT key, name FROM name").fetchall())
        return {key: codec.load_history(totals, jobs[key]) for key, totals in rows}, names
    except sqlite3.Error as error:
        raise what_is_wrong(path, error) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from error
