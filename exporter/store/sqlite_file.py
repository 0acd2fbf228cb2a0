"""The state file itself: whose it is, where it is, and which schema it has."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import StartupError

if TYPE_CHECKING:
    from typing import TextIO

MEMORY = ":memory:"
APPLICATION_ID = 0x51425845  # "QBXE" in the file's header tells our files from anyone else's

# One step per schema version; a released step is never edited.
_MIGRATIONS = (
    """
    CREATE TABLE source (key TEXT PRIMARY KEY, totals TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE job (
        source TEXT NOT NULL, execution_id TEXT NOT NULL, state TEXT NOT NULL,
        PRIMARY KEY (source, execution_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE name (key TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE target (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE data_source (key TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
    """,
)
# The file itself is fine, but the place will not let us work.
_PLACE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}


class UnreadableError(Exception):
    """The state file holds what this release cannot read."""


def lock(path: str) -> TextIO | None:
    """Take the state file for this process; raises StartupError where another has it."""
    if path == MEMORY:
        return None
    # A file of its own: a state file that has to be moved aside must be locked before and after.
    try:
        lock = Path(f"{path}.lock").open("a+", encoding="utf-8")  # noqa: SIM115 (held for the life of the store)
    except OSError as error:
        raise _no_place(path, error.strerror or str(error)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        message = f"state file {path} is in use by another exporter (process {holder}): give each its own state.path"
        raise StartupError(message) from error
    try:
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
    except OSError as error:  # a full disk
        raise _no_place(path, error.strerror or str(error)) from error
    return lock


def _no_place(path: str, why: str) -> StartupError:
    return StartupError(
        f"state file {path} cannot be opened for writing ({why}): make its directory writable, choose another "
        f"state.path, or `{MEMORY}` to go without",
    )


def connect(path: str) -> sqlite3.Connection:
    """Open or create the database, at this release's schema.

    Raises UnreadableError for what it holds, StartupError for where it is.
    """
    db: sqlite3.Connection | None = None
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        version = _version(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        # A commit that was shown must outlive a power cut: NORMAL would not sync the log.
        db.execute("PRAGMA synchronous = FULL")
        _migrate(db, version)
    except sqlite3.Error as error:
        if db:
            db.close()
        raise what_is_wrong(path, error) from error
    except (UnreadableError, StartupError):
        if db:
            db.close()
        raise
    return db


def copy(path: str) -> sqlite3.Connection:
    """Read the database into memory, at this release's schema, whoever has it; nothing on the disk is touched.

    A file that is not there is an empty one. Raises UnreadableError for what it holds, and for where it is.
    """
    db = sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False)
    try:
        if path != MEMORY and Path(path).exists():
            # Whoever opens a log of writes leaves files beside it, which its owner may then not be allowed to write.
            mode = "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"
            with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?{mode}", uri=True)) as source:
                source.backup(db)
        _migrate(db, _version(db, path))
    except (sqlite3.Error, OSError) as error:
        db.close()
        raise UnreadableError(str(error)) from error
    except (UnreadableError, StartupError):
        db.close()
        raise
    return db


def what_is_wrong(path: str, error: sqlite3.Error) -> StartupError | UnreadableError:
    """Tell a file that cannot be read from a place that will not let us work."""
    if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _PLACE:
        return _no_place(path, str(error))
    return UnreadableError(str(error))


def _version(db: sqlite3.Connection, path: str) -> int:
    """Give the file's schema version without touching it: it may be someone else's."""
    (owner,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != APPLICATION_ID and tables:
        raise StartupError(f"{path} is a database of another program: choose another state.path")
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(_MIGRATIONS):
        raise UnreadableError(f"written by a newer release: schema {version}, and this one knows {len(_MIGRATIONS)}")
    return version


def _migrate(db: sqlite3.Connection, version: int) -> None:
    for number, step in enumerate(_MIGRATIONS[version:], start=version + 1):
        marks = f"PRAGMA user_version = {number}; PRAGMA application_id = {APPLICATION_ID};"
        db.executescript(f"BEGIN IMMEDIATE; {step}; {marks} COMMIT")


def move_aside(path: str) -> str:
    """Keep a file that cannot be read under another name, and give that name."""
    aside = f"{path}.unreadable-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for suffix in ("", "-wal", "-shm"):
        if Path(path + suffix).exists():
            Path(path + suffix).rename(aside + suffix)
    return aside
