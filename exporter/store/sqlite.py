"""The state in SQLite: the history of every source, resolved names, and the sources that discovery found.

State is written to disk before the metrics that follow from it are published. So a counter never decreases, not even
after a power failure. While the disk rejects writes, changes are kept in memory, and are written with the next write
that succeeds.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from exporter.domain.units import DAY
from exporter.errors import StartupError
from exporter.store import codec
from exporter.store.history_table import HistoryTable
from exporter.store.kv_table import KvTable
from exporter.store.sqlite_file import (
    MEMORY,
    UnreadableError,
    check_integrity,
    copy_to_memory,
    move_aside,
    open_database,
    translate_error,
)
from exporter.store.target_table import TargetTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from exporter.domain.documents import DocumentsByStatus
    from exporter.domain.model import Location
    from exporter.domain.snapshots import SavedSource
    from exporter.domain.source_history import SourceHistory
    from exporter.store.sqlite_file import Database

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
        self._histories = HistoryTable()
        self._names, self._targets = KvTable("name"), TargetTable()
        self._sources = KvTable("data_source", codec.load_saved_source)
        self._documents = KvTable("documents", codec.load_documents)
        self._tables = (self._histories, self._names, self._targets, self._sources, self._documents)
        self._database = self._open_copy() if as_copy else self._open_or_replace()

    @property
    def is_written(self) -> bool:
        """Whether the last write succeeded."""
        return not self._failing

    def has_unwritten(self) -> bool:
        """Return whether there is state in memory that is not written to disk."""
        return any(table.has_pending for table in self._tables)

    def history(self, key: str) -> SourceHistory | None:
        """Return a source's history."""
        with self._mutex:
            return self._histories.get(key)

    def name(self, key: str) -> str | None:
        """Return a resolved name."""
        with self._mutex:
            return self._names.get(key)

    def save_name(self, key: str, name: str) -> None:
        """Save a resolved name."""
        with self._changes():
            self._names.put(key, name)

    def watched_since(self, identity: str) -> float | None:
        """Return when a target was first watched, on AWS's clock."""
        with self._mutex:
            return self._targets.watched_since(identity)

    def save_watched_since(self, identity: str, moment: float) -> None:
        """Save when a target was first watched."""
        with self._changes():
            self._targets.put_watched_since(identity, moment)

    def account(self, target: str) -> str | None:
        """Return the account that was last saved for the target of a name."""
        with self._mutex:
            return self._targets.account(target)

    def save_account(self, target: str, account: str, identity: str) -> None:
        """Save the account of the target of a name, and with it the identity of the target."""
        with self._changes():
            self._targets.put_account(target, account, identity)

    def attempted_at(self, key: str) -> float | None:
        """Return when a process last began its first poll of a data source, on the host's clock."""
        with self._mutex:
            return self._targets.attempted_at(key)

    def save_attempt(self, key: str, moment: float) -> None:
        """Save when this process begins its first poll of a data source."""
        with self._changes():
            self._targets.put_attempt(key, moment)

    def saved_sources(self, target: str, location: Location | None) -> list[SavedSource]:
        """Return the data sources of a location, or else of the target of a name, as they were last found."""
        with self._mutex:
            sources = [codec.load_saved_source(text) for _, text in self._sources.items()]
        return [saved for saved in sources if saved.belongs_to(target, location)]

    def save_source(self, key: str, saved: SavedSource) -> None:
        """Save a data source as it was found."""
        with self._changes():
            self._sources.put(key, codec.dump_saved_source(saved))

    def remove_source(self, key: str) -> None:
        """Delete how a data source was found, when it was attempted, and the count of its documents."""
        with self._changes():
            self._remove_source(key)

    def documents(self, key: str) -> DocumentsByStatus | None:
        """Return the last complete count of a data source's documents."""
        with self._mutex:
            text = self._documents.get(key)
        return codec.load_documents(text) if text else None

    def save_documents(self, key: str, documents: DocumentsByStatus) -> None:
        """Save a complete count of a data source's documents."""
        with self._changes():
            self._documents.put(key, codec.dump_documents(documents))

    def commit(self, histories: Mapping[str, SourceHistory]) -> None:
        """Write histories, by source. A failed write is counted, logged once, and retried with the next write."""
        with self._changes():
            for key, history in histories.items():
                self._histories.put(key, history)

    def save_poll_times(self, times: Mapping[str, float]) -> None:
        """Save the time of the last successful poll, by source, in one write.

        Only the time of what was committed last changes. So a poll that commits meanwhile loses nothing, whichever of
        the two comes first.
        """
        with self._changes():
            for key, time in times.items():
                history = self._histories.get(key)
                if history and time > history.as_of:
                    self._histories.put(key, replace(history, as_of=time))

    def remove_unwatched(self, watched: set[str], now: float) -> None:
        """Remove the sources that are not in `watched`, and were not polled within UNWATCHED_RETENTION."""
        with self._mutex:
            removed = self._histories.unwatched_since(now - UNWATCHED_RETENTION, watched)
            try:
                with self._database.connection as db:
                    db.execute("BEGIN IMMEDIATE")
                    self._histories.delete(db, removed)
            except sqlite3.Error as error:
                self._handle_failure(error)
                return  # the next start tries again
            self._histories.mark_deleted(removed)
            known = {key for table in (self._sources, self._documents) for key, _ in table.items()}
            for key in sorted(known.union(self._targets.attempted_sources())):
                if key not in watched and self._histories.get(key) is None:
                    self._remove_source(key)
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
            self._database.close()

    @contextmanager
    def _changes(self) -> Iterator[None]:
        """Hold the mutex during changes, then write them."""
        with self._mutex:
            yield
            self._flush()

    def _remove_source(self, key: str) -> None:
        self._sources.put(key, None)
        self._documents.put(key, None)
        self._targets.put_attempt(key, None)

    def _open_copy(self) -> Database:
        try:
            return self._load(copy_to_memory(self._path))
        except UnreadableError as error:
            raise StartupError(f"state file {self._path} cannot be read: {error}") from error

    def _open_or_replace(self) -> Database:
        try:
            return self._load(open_database(self._path))
        except UnreadableError as error:
            moved_to = move_aside(self._path)
            message = "state file unreadable, starting with an empty one"
            logger.warning(message, path=self._path, moved_to=moved_to, error=str(error))
            return self._load(open_database(self._path))

    def _load(self, database: Database) -> Database:
        """Load all tables; close the database if that fails."""
        try:
            check_integrity(database.connection)
            for table in self._tables:
                table.load(database.connection)
        except (sqlite3.Error, *codec.UNREADABLE) as error:
            database.close()
            raise translate_error(self._path, error) from error
        return database

    def _flush(self) -> None:
        """Write everything that is pending in one transaction; the caller holds the mutex."""
        if self._closed or not self._must_write():
            return
        try:
            with self._database.connection as db:
                db.execute("BEGIN IMMEDIATE")
                for table in self._tables:
                    table.write(db)
        except sqlite3.Error as error:
            self._handle_failure(error)
            return
        for table in self._tables:
            table.mark_written()
        if self._failing:
            self._failing = False
            logger.info("state write works again", path=self._path)

    def _must_write(self) -> bool:
        """Return whether there is something to write, and a file to write it to."""
        return self.has_unwritten() if self._database.is_in_place() else self._reopen()

    def _reopen(self) -> bool:
        """Continue in a new file after the old one was removed or replaced; return False if it cannot be opened.

        The state is what is in memory, so the next write includes all of it. Without this, SQLite would continue to
        write into the removed file, and a restart would find none of it.
        """
        self._handle_failure("the file was removed or replaced")
        self._database.close()
        for table in self._tables:
            table.mark_lost()
        with suppress(StartupError, UnreadableError):
            self._database = open_database(self._path)
            return True
        return False

    def _handle_failure(self, error: object) -> None:
        self._on_write_failure()
        if not self._failing:
            self._failing = True
            logger.error("state write failed, keeping changes in memory", path=self._path, error=str(error))
