"""What must survive the process, in SQLite: every source's history, the settled names, and what was found.

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
from exporter.store.kv_table import Notes
from exporter.store.sqlite_file import MEMORY, UnreadableError, connect, copy, lock, move_aside, what_is_wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.domain.snapshots import SavedSource
    from exporter.domain.source_history import SourceHistory, TrackedJob

__all__ = ["MEMORY", "Store"]

FORGET = 30 * 86400.0  # a source that nobody watched for so long is dropped

logger = structlog.get_logger()


class Store:
    """The state of one exporter; may be used from any thread."""

    def __init__(self, path: str, on_write_failure: Callable[[], None], *, as_copy: bool = False) -> None:
        """Open or create the file; raises StartupError where it is in use or its place does not allow it.

        A copy is what the file holds now, whoever has it, and nothing that is done to it lasts.
        """
        self._path = path
        self._on_write_failure = on_write_failure
        self._mutex = threading.Lock()
        self._failing = False
        self._closed = False
        self._pending: dict[str, SourceHistory] = {}
        self._names, self._targets, self._known = Notes("name"), Notes("target"), Notes("data_source", codec.load_known)
        self._notes = (self._names, self._targets, self._known)
        self._is_copy = as_copy
        self._lock = None if as_copy else lock(path)
        try:
            self._open_or_begin_anew()
        except StartupError:
            self._unlock()
            raise

    @property
    def is_written(self) -> bool:
        """Tell whether the last write worked."""
        return not self._failing

    def history(self, key: str) -> SourceHistory | None:
        """Give a source's history."""
        with self._mutex:
            return self._pending.get(key) or self._written.get(key)

    def name(self, key: str) -> str | None:
        """Give a settled name."""
        with self._mutex:
            return self._names.get(key)

    def save_name(self, key: str, name: str) -> None:
        """Keep a name for good."""
        self._note(self._names, key, name)

    def watched_since(self, target: str) -> float | None:
        """Give when a target was first watched, on AWS's clock."""
        with self._mutex:
            text = self._targets.get(f"watched since/{target}")
        return float(text) if text else None

    def save_watched_since(self, target: str, moment: float) -> None:
        """Keep when a target was first watched."""
        self._note(self._targets, f"watched since/{target}", repr(moment))

    def account(self, target: str) -> str | None:
        """Give the account that a target was last seen to be."""
        with self._mutex:
            return self._targets.get(f"account/{target}")

    def save_account(self, target: str, account: str) -> None:
        """Keep which account a target is."""
        self._note(self._targets, f"account/{target}", account)

    def saved_sources(self, target: str) -> list[SavedSource]:
        """Give the data sources of a target as they were last found."""
        with self._mutex:
            everything = [codec.load_known(text) for _, text in self._known.items()]
        return [known for known in everything if known.source.target == target]

    def save_source(self, key: str, known: SavedSource | None) -> None:
        """Keep how a data source was found, or that it is no more."""
        self._note(self._known, key, codec.dump_known(known) if known else None)

    def _note(self, notes: Notes, key: str, text: str | None) -> None:
        with self._mutex:
            notes.put(key, text)
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
            try:
                with self._db as db:
                    db.execute("BEGIN IMMEDIATE")
                    db.executemany("DELETE FROM job WHERE source = ?", ((key,) for key in gone))
                    db.executemany("DELETE FROM source WHERE key = ?", ((key,) for key in gone))
            except sqlite3.Error as error:
                self._note_failure(error)
                return  # the next start is soon enough
            for key in gone:
                del self._written[key]
            for key, _ in list(self._known.items()):
                if key not in watched and key not in self._written:
                    self._known.put(key, None)
            self._flush()
        if gone:
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
            if self._is_copy:
                raise StartupError(f"state file {self._path} cannot be read: {error}") from error
            aside = move_aside(self._path)
            logger.warning("state file cannot be read: begun anew", path=self._path, moved_to=aside, error=str(error))
            self._open()

    def _open(self) -> None:
        self._db = copy(self._path) if self._is_copy else connect(self._path)
        try:
            self._written = _load(self._path, self._db, self._notes)
        except (UnreadableError, StartupError):
            self._db.close()
            raise

    def _flush(self) -> None:
        if self._closed or not (self._pending or any(notes.waiting for notes in self._notes)):
            return
        try:
            with self._db as db:
                db.execute("BEGIN IMMEDIATE")
                for key, history in self._pending.items():
                    _write(db, key, self._written.get(key), history)
                for notes in self._notes:
                    notes.write(db)
        except sqlite3.Error as error:
            self._note_failure(error)
            return
        self._written |= self._pending
        self._pending = {}
        for notes in self._notes:
            notes.written()
        if self._failing:
            self._failing = False
            logger.info("state is written again", path=self._path)

    def _note_failure(self, error: sqlite3.Error) -> None:
        self._on_write_failure()
        if not self._failing:
            self._failing = True
            logger.error("state cannot be written: going on from memory", path=self._path, error=str(error))


def _write(db: sqlite3.Connection, key: str, before: SourceHistory | None, now: SourceHistory) -> None:
    old: Mapping[str, TrackedJob] = before.jobs if before else {}
    db.execute("INSERT OR REPLACE INTO source VALUES (?, ?)", (key, codec.dump_totals(now)))
    changed = [(key, id_, codec.dump_job(known)) for id_, known in now.jobs.items() if old.get(id_) != known]
    db.executemany("INSERT OR REPLACE INTO job VALUES (?, ?, ?)", changed)
    dropped = [(key, id_) for id_ in old.keys() - now.jobs.keys()]
    db.executemany("DELETE FROM job WHERE source = ? AND execution_id = ?", dropped)


def _load(path: str, db: sqlite3.Connection, notes: Iterable[Notes]) -> dict[str, SourceHistory]:
    try:
        (health,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if health != "ok":
            raise UnreadableError(health)
        jobs: dict[str, dict[str, TrackedJob]] = defaultdict(dict)
        for source, execution_id, state in db.execute("SELECT source, execution_id, state FROM job"):
            jobs[source][execution_id] = codec.load_job(state)
        rows = db.execute("SELECT key, totals FROM source").fetchall()
        for table in notes:
            table.load(db)
        return {key: codec.load_history(totals, jobs[key]) for key, totals in rows}
    except sqlite3.Error as error:
        raise what_is_wrong(path, error) from error
    except codec.UNREADABLE as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from error
