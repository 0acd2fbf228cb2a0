"""The state in SQLite: the history of every source, resolved names, and the sources that discovery found.

State is written to disk before metrics that are derived from it are published. So a counter never decreases, even after
a power failure. While the disk rejects writes, changes are kept in memory, and are written with the next write that
succeeds.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import structlog

from exporter.errors import StartupError
from exporter.store import codec
from exporter.store.row_changes import KEY_COLUMNS
from exporter.store.sqlite_file import (
    MEMORY,
    UnreadableError,
    check_integrity,
    copy_to_memory,
    move_aside,
    open_database,
    translate_error,
)
from exporter.store.sqlite_rows import read_rows, write_changes
from exporter.store.table_store import TableStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.store.sqlite_file import Database
    from exporter.store.state_rows import StateRows

__all__ = ["MEMORY", "Store"]

logger = structlog.get_logger()


class Store(TableStore):
    """The state of one exporter. Thread-safe."""

    def __init__(self, path: str, on_write_failure: Callable[[], None], *, as_copy: bool = False) -> None:
        """Open or create the state file. Raise StartupError if it is in use or not accessible.

        `as_copy` opens a copy in memory of the current file. It needs no lock, and changes to it are not saved.
        """
        super().__init__()
        self._path = path
        self._on_write_failure = on_write_failure
        self._failing = False
        self._closed = False
        self._database = self._open_copy() if as_copy else self._open_or_replace()

    @property
    def is_written(self) -> bool:
        """Whether the last write succeeded."""
        return not self._failing

    def export_rows(self) -> StateRows:
        """Return all rows of the file."""
        with self._mutex:
            return {table: read_rows(self._database.connection, table) for table in KEY_COLUMNS}

    def close(self) -> None:
        """Write pending changes, close the file and release its lock."""
        with self._mutex:
            if self._closed:
                return
            self._flush()
            self._closed = True
            self._database.close()

    def _write(self, *, wait: bool) -> None:  # noqa: ARG002 (every change is written immediately)
        with self._mutex:
            self._flush()

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
            self._tables.load(partial(read_rows, database.connection))
        except (sqlite3.Error, *codec.UNREADABLE) as error:
            database.close()
            raise translate_error(self._path, error) from error
        return database

    def _flush(self) -> None:
        """Write all pending changes in one transaction; the caller holds the mutex."""
        if self._closed or not self._must_write():
            return
        changes = self._tables.changes()
        try:
            with self._database.connection as db:
                db.execute("BEGIN IMMEDIATE")
                write_changes(db, changes)
        except sqlite3.Error as error:
            self._handle_failure(error)
            return
        self._tables.mark_written(changes)
        if self._failing:
            self._failing = False
            logger.info("state write works again", path=self._path)

    def _must_write(self) -> bool:
        """Return whether there are changes to write, and a file to which to write them."""
        return self.has_unwritten() if self._database.is_in_place() else self._reopen()

    def _reopen(self) -> bool:
        """Continue in a new file after the old one was removed or replaced; return False if it cannot be opened.

        The next write includes the whole state in memory. Without this, SQLite would continue to write into the removed
        file, and a restart would find an empty state.
        """
        self._handle_failure("the file was removed or replaced")
        self._database.close()
        self._tables.mark_lost()
        with suppress(StartupError, UnreadableError):
            self._database = open_database(self._path)
            return True
        return False

    def _handle_failure(self, error: object) -> None:
        self._on_write_failure()
        if not self._failing:
            self._failing = True
            logger.error("state write failed, keeping changes in memory", path=self._path, error=str(error))
