"""The rows of one target in PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from exporter.store.postgresql.ascii_text import decode, encode
from exporter.store.row_changes import KEY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.store.postgresql.session import Transaction
    from exporter.store.row_changes import Row, RowChanges
    from exporter.store.state_rows import StateRows
    from exporter.store.state_tables import StateChanges

CHUNK = 5000  # rows in one statement, which must end within its timeout
_TABLES = ("source", "job", "note")
_VALUES = {"source": "totals", "job": "state"}
_PLAIN_VALUES = {"name", "target"}  # the tables with text that is not JSON


def read_state(transaction: Transaction, target: str) -> StateRows:
    """Return all rows of a target."""
    return {table: _read_rows(transaction, target, table) for table in KEY_COLUMNS}


def _read_rows(transaction: Transaction, target: str, table: str) -> list[Row]:
    place = _place(table)
    fixed = {"target": target, **place.kind}
    condition = " AND ".join(f"{column} = %s" for column in fixed)
    keys, marks = ", ".join(place.keys), ", ".join(["%s"] * len(place.keys))
    sql = f"""
        SELECT {keys}, {place.value} FROM {place.table} WHERE {condition} AND ({keys}) > ({marks})
        ORDER BY {keys} LIMIT {CHUNK}
    """  # noqa: S608 (constants)  # nosec B608
    rows: list[Row] = []
    last: Row = ("",) * len(place.keys)  # no key is empty
    while True:
        chunk = transaction.execute(sql, [*fixed.values(), *last])
        rows += [_decode(row, _plain_columns(table)) for row in chunk]
        if len(chunk) < CHUNK:
            return rows
        last = chunk[-1][: len(place.keys)]


def write_changes(transaction: Transaction, target: str, changes: StateChanges) -> None:
    """Write the changes of a target within the caller's transaction."""
    if changes.replaces_all:
        for table in _TABLES:
            transaction.execute(f"DELETE FROM {table} WHERE target = %s", [target])  # noqa: S608  # nosec B608
    for rows in changes.rows:
        for chunk in _chunks(rows.replaced):
            _replace(transaction, target, rows, chunk)
        for chunk in _chunks(rows.deleted):
            _delete(transaction, target, rows, chunk)


def _replace(transaction: Transaction, target: str, rows: RowChanges, chunk: Sequence[Row]) -> None:
    place = _place(rows.table)
    fixed = {"target": target, **place.kind}
    names = ", ".join((*fixed, *place.keys, place.value))
    values = ", ".join(["%s"] * len(fixed))
    arrays = ", ".join(["%s::text[]"] * (len(place.keys) + 1))
    sql = f"""
        INSERT INTO {place.table} ({names}) SELECT {values}, * FROM unnest({arrays})
        ON CONFLICT ({", ".join((*fixed, *place.keys))}) DO UPDATE SET {place.value} = EXCLUDED.{place.value}
    """  # noqa: S608 (constants)  # nosec B608
    transaction.execute(sql, [*fixed.values(), *_columns(chunk, _plain_columns(rows.table))])


def _delete(transaction: Transaction, target: str, rows: RowChanges, chunk: Sequence[Row]) -> None:
    place = _place(rows.table)
    fixed = {"target": target, **place.kind}
    condition = " AND ".join(f"{column} = %s" for column in fixed)
    arrays = ", ".join(["%s::text[]"] * len(place.keys))
    sql = f"""
        DELETE FROM {place.table}
        WHERE {condition} AND ({", ".join(place.keys)}) IN (SELECT * FROM unnest({arrays}))
    """  # noqa: S608 (constants)  # nosec B608
    transaction.execute(sql, [*fixed.values(), *_columns(chunk, len(place.keys))])


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of the rows of a table: the key-value tables share one, and have a kind there."""

    table: str
    keys: tuple[str, ...]
    value: str
    kind: dict[str, str]


def _place(table: str) -> _Place:
    keys = KEY_COLUMNS[table]
    if table in _VALUES:
        return _Place(table, keys, _VALUES[table], {})
    return _Place("note", keys, "value", {"kind": table})


def _plain_columns(table: str) -> int:
    return len(KEY_COLUMNS[table]) + (table in _PLAIN_VALUES)


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk


def _columns(rows: Sequence[Row], plain: int) -> list[list[str]]:
    """Return the columns of rows; the first `plain` columns are not JSON."""
    columns = zip(*rows, strict=True)
    return [[encode(text) for text in column] if n < plain else list(column) for n, column in enumerate(columns)]


def _decode(row: Row, plain: int) -> Row:
    """Return a row with the texts from before `encode`. Only texts with a backslash are different."""
    if not any("\\" in text for text in row[:plain]):
        return row
    return tuple(decode(text) if n < plain else text for n, text in enumerate(row))
