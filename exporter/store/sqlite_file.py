"""The database of the state: how it is opened, its schema, and errors when it is opened."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from exporter.errors import StartupError
from exporter.store.file_lock import FileLock, inaccessible

MEMORY = ":memory:"
APPLICATION_ID = 0x51425845  # "QBXE" in the header: distinguishes state files from the databases of other programs

# One step for each schema version. A released step is never edited.
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
    """
    CREATE TABLE documents (key TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT, WITHOUT ROWID;
    """,
)
# With these errors, the exporter cannot access the file, whose contents may be valid.
_INACCESSIBLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}


class UnreadableError(Exception):
    """The contents of the state file cannot be read by this release."""


class Database:
    """An open database, and the lock on its file unless it is in memory."""

    def __init__(self, connection: sqlite3.Connection, lock: FileLock | None) -> None:
        self.connection = connection
        self._lock = lock
        self._closed = False

    def is_in_place(self) -> bool:
        """Return whether the database is open, and the file with its commits is still at its path."""
        return not self._closed and (self._lock is None or self._lock.is_in_place())

    def close(self) -> None:
        """Close the database, then release its lock; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self.connection.close()
        if self._lock:
            self._lock.release()


def open_database(path: str) -> Database:
    """Lock and open the database of a path, and create it if it is missing.

    Raise UnreadableError if its contents cannot be read, StartupError if it is not accessible or is in use.
    """
    lock = None if path == MEMORY else FileLock(path)
    try:
        return Database(_connect(path), lock)
    except (UnreadableError, StartupError):
        if lock:
            lock.release()
        raise


def _connect(path: str) -> sqlite3.Connection:
    """Open the database, and migrate it to the schema of this release."""
    db: sqlite3.Connection | None = None
    try:
        # SQLite may read a path that begins with `file:` as a URI, and would then open another file than the lock did.
        absolute = path if path == MEMORY else str(Path(path).absolute())
        db = sqlite3.connect(absolute, isolation_level=None, check_same_thread=False, timeout=5.0)
        version = _version(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        # A published commit must survive a power failure. With NORMAL, SQLite would not sync the write-ahead log.
        db.execute("PRAGMA synchronous = FULL")
        _migrate(db, version)
    except sqlite3.Error as error:
        if db:
            db.close()
        raise translate_error(path, error) from error
    except (UnreadableError, StartupError):
        if db:
            db.close()
        raise
    return db


def copy_to_memory(path: str) -> Database:
    """Return a copy of the database in memory, with the schema of this release.

    Another process may have the file open. Nothing on disk is changed, and a missing file results in an empty database.
    Raise UnreadableError if the file cannot be read or is not accessible.
    """
    db = sqlite3.connect(MEMORY, isolation_level=None, check_same_thread=False)
    try:
        if path != MEMORY and Path(path).exists():
            # Opening a database in WAL mode creates files next to it, which the exporter's user might not be able to
            # write. So a file without a write-ahead log is opened as immutable.
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
    return Database(db, None)


def check_integrity(db: sqlite3.Connection) -> None:
    """Raise sqlite3.Error if the file is damaged."""
    (health,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if health != "ok":
        raise sqlite3.DatabaseError(health)


def translate_error(path: str, error: Exception) -> StartupError | UnreadableError:
    """Return a StartupError for a file that is not accessible, and an UnreadableError for damaged contents."""
    if not isinstance(error, sqlite3.Error):
        return UnreadableError(f"{type(error).__name__}: {error}")
    if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _INACCESSIBLE:
        return StartupError(inaccessible(path, str(error)))
    return UnreadableError(str(error))


def _version(db: sqlite3.Connection, path: str) -> int:
    """Return the schema version of the file, without writing, because the file may belong to another program."""
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application_id != APPLICATION_ID and tables:
        raise StartupError(f"{path} is a database of another program: choose another state.path")
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(_MIGRATIONS):
        raise UnreadableError(f"written by a newer release: schema {version}, this release supports {len(_MIGRATIONS)}")
    return version


def _migrate(db: sqlite3.Connection, version: int) -> None:
    for number, step in enumerate(_MIGRATIONS[version:], start=version + 1):
        header = f"PRAGMA user_version = {number}; PRAGMA application_id = {APPLICATION_ID};"
        db.executescript(f"BEGIN IMMEDIATE; {step}; {header} COMMIT")


def move_aside(path: str) -> str:
    """Rename a file that cannot be read, and return its new name."""
    new_path = f"{path}.unreadable-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    for suffix in ("", "-wal", "-shm"):
        if Path(path + suffix).exists():
            Path(path + suffix).rename(new_path + suffix)
    return new_path
