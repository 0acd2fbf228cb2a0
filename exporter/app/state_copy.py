"""Copies of whole states, for the move from a file to a database and back."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from exporter import config
from exporter.app.state import open_archive
from exporter.errors import ConfigError, StartupError
from exporter.runtime import System
from exporter.store import Store
from exporter.store.file_lock import FileLock

if TYPE_CHECKING:
    from exporter.config import StateConfig
    from exporter.store.state_rows import StateRows


class CopiedState(Protocol):
    """A state that is read or written as a whole."""

    address: str

    def read(self) -> StateRows:
        """Return all rows; raise StartupError if the state cannot be read, or is in use."""

    def write(self, rows: StateRows) -> None:
        """Write all rows; raise StartupError if a state exists already, or is in use."""


class FileState:
    """A state file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.address = str(path)

    def read(self) -> StateRows:
        """Return all rows of the file, without changing it."""
        if not self._path.is_file():
            raise StartupError(f"state file {self._path} does not exist: name the state.path of the exporter")
        lock = FileLock(self.address)  # a running exporter would continue to count, and the copy would lack this
        try:
            with closing(Store(self.address, _fail, as_copy=True)) as store:
                return store.export_rows()
        finally:
            lock.release()

    def write(self, rows: StateRows) -> None:
        """Write all rows into a new file.

        The file gets its name once it is complete. Otherwise an exporter could start with the empty file of a copy that
        was interrupted.
        """
        if self._path.exists():
            raise StartupError(f"state file {self._path} exists: state can be copied into a new file only")
        incomplete = f"{self._path}.incomplete"
        _remove(incomplete)
        try:
            with closing(Store(incomplete, _fail)) as store:
                store.import_rows(rows)
            Path(incomplete).rename(self._path)
        finally:
            _remove(incomplete)


class DatabaseState:
    """A database."""

    def __init__(self, url: str) -> None:
        self._archive = open_archive(_checked(url), System())
        self.address = self._archive.address

    def read(self) -> StateRows:
        """Return all rows of the database."""
        rows = self._archive.read(must_be_unused=True)
        if rows is None:
            raise StartupError(f"database {self.address} has no state: name the state.url of the exporter")
        return rows

    def write(self, rows: StateRows) -> None:
        """Write all rows in one transaction."""
        self._archive.write(rows)


def _checked(url: str) -> StateConfig:
    """Return the configuration of a database; raise StartupError if the URL is not valid in a configuration."""
    try:
        return config.parse(json.dumps({"state": {"url": url}}), "").config.state
    except ConfigError as error:
        raise StartupError("; ".join(problem.message for problem in error.problems)) from error


def _remove(path: str) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(path + suffix).unlink(missing_ok=True)


def _fail() -> None:
    raise StartupError("the state file cannot be written: check the free space and the permissions of its directory")
