"""Small texts by key, each table of them with what is written and what still waits to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator


class Notes:
    """One table with a key and a text in each row; not for several threads at once."""

    def __init__(self, table: str, read: Callable[[str], object] = str) -> None:
        """`read` raises ValueError, TypeError or KeyError for a text that is none of ours."""
        self._table = table
        self._read = read
        self._written: dict[str, str] = {}
        self._pending: dict[str, str | None] = {}

    def load(self, db: sqlite3.Connection) -> None:
        """Load the table; raises what `read` raises."""
        self._written = dict(db.execute(f"SELECT * FROM {self._table}").fetchall())  # noqa: S608 (a name of ours)  # nosec B608
        for text in self._written.values():
            self._read(text)

    def get(self, key: str) -> str | None:
        """Give a text."""
        return self._pending[key] if key in self._pending else self._written.get(key)

    def items(self) -> Iterator[tuple[str, str]]:
        """Yield every key with its text."""
        for key, text in {**self._written, **self._pending}.items():
            if text is not None:
                yield key, text

    def put(self, key: str, text: str | None) -> None:
        """Replace a text, or with None take it away."""
        if text != self.get(key):
            self._pending[key] = text

    @property
    def waiting(self) -> bool:
        """Tell whether there is something to write."""
        return bool(self._pending)

    def write(self, db: sqlite3.Connection) -> None:
        """Write what waits, within the transaction of whoever calls."""
        kept = [(key, text) for key, text in self._pending.items() if text is not None]
        gone = [(key,) for key, text in self._pending.items() if text is None]
        db.executemany(f"INSERT OR REPLACE INTO {self._table} VALUES (?, ?)", kept)  # noqa: S608 (a name of ours)
        db.executemany(f"DELETE FROM {self._table} WHERE key = ?", gone)  # noqa: S608 (the same)  # nosec

    def written(self) -> None:
        """Take note that what waited is on the disk."""
        for key, text in self._pending.items():
            if text is None:
                self._written.pop(key, None)
            else:
                self._written[key] = text
        self._pending = {}
