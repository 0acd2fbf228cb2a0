"""The rows of the state in SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.store.row_changes import KEY_COLUMNS

if TYPE_CHECKING:
    import sqlite3

    from exporter.store.row_changes import Row, RowChanges
    from exporter.store.state_tables import StateChanges


def read_rows(db: sqlite3.Connection, table: str) -> list[Row]:
    """Return all rows of a table."""
    return db.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 (a constant)  # nosec B608


def write_changes(db: sqlite3.Connection, changes: StateChanges) -> None:
    """Write changes within the caller's transaction."""
    if changes.replaces_all:
        for table in KEY_COLUMNS:
            db.execute(f"DELETE FROM {table}")  # noqa: S608 (a constant)  # nosec B608
    for rows in changes.rows:
        _write(db, rows)


def _write(db: sqlite3.Connection, rows: RowChanges) -> None:
    keys = KEY_COLUMNS[rows.table]
    values = ", ".join("?" * (len(keys) + 1))
    db.executemany(f"INSERT OR REPLACE INTO {rows.table} VALUES ({values})", rows.replaced)  # noqa: S608 (constants)
    condition = " AND ".join(f"{column} = ?" for column in keys)
    db.executemany(f"DELETE FROM {rows.table} WHERE {condition}", rows.deleted)  # noqa: S608 (constants)  # nosec
