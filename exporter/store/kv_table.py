"""A key-value table in SQLite, with its rows in memory and the changes that are not written yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator


class KvTable:
    """One table with a key and a text in each row. Not thread-safe."""

    def __init__(self, name: str, parse: Callable[[str], object] = str) -> None:
        """Start without rows. `parse` raises one of `codec.UNREADABLE` for a text that is not valid."""
        self._name = name
        self._parse = parse
        self._written: dict[str, str] = {}
        self._pending: dict[str, str | None] = {}
        self._is_lost = False

    def load(self, db: sqlite3.Connection) -> None:
        """Load all rows; raises what `parse` raises."""
        self._written = dict(db.execute(f"SELECT * FROM {self._name}").fetchall())  # noqa: S608 (a constant)  # nosec B608
        for text in self._written.values():
            self._parse(text)

    def get(self, key: str) -> str | None:
        """Return the text of a key."""
        return self._pending[key] if key in self._pending else self._written.get(key)

    def items(self) -> Iterator[tuple[str, str]]:
        """Yield every key with its text."""
        for key, text in {**self._written, **self._pending}.items():
            if text is not None:
                yield key, text

    def put(self, key: str, text: str | None) -> None:
        """Replace the text of a key; None deletes the row."""
        if text != self.get(key):
            self._pending[key] = text

    @property
    def has_pending(self) -> bool:
        """Whether there are changes that are not written yet."""
        return bool(self._pending) or self._is_lost

    def write(self, db: sqlite3.Connection) -> None:
        """Write the pending changes within the caller's transaction."""
        if self._is_lost:
            db.execute(f"DELETE FROM {self._name}")  # noqa: S608 (a constant)  # nosec B608
        changed = [(key, text) for key, text in self._pending.items() if text is not None]
        deleted = [(key,) for key, text in self._pending.items() if text is None]
        db.executemany(f"INSERT OR REPLACE INTO {self._name} VALUES (?, ?)", changed)  # noqa: S608 (a constant)
        db.executemany(f"DELETE FROM {self._name} WHERE key = ?", deleted)  # noqa: S608 (the same)  # nosec

    def mark_written(self) -> None:
        """Record that the transaction with the pending changes was committed."""
        for key, text in self._pending.items():
            if text is None:
                self._written.pop(key, None)
            else:
                self._written[key] = text
        self._pending, self._is_lost = {}, False

    def mark_lost(self) -> None:
        """Record that nothing is written any more: the next write replaces all rows of the file."""
        self._is_lost = True
        self._written, self._pending = {}, {**self._written, **self._pending}
