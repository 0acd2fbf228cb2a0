"""A key-value table in memory, and its changes that are not written yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.store.row_changes import RowChanges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from exporter.store.row_changes import Row


class KvTable:
    """One table with a key and a text in each row. Not thread-safe."""

    def __init__(self, name: str, parse: Callable[[str], object] = str) -> None:
        """Start without rows. `parse` raises one of `codec.UNREADABLE` for a text that is not valid."""
        self._name = name
        self._parse = parse
        self._written: dict[str, str] = {}
        self._pending: dict[str, str | None] = {}

    def load(self, rows: Iterable[Row]) -> None:
        """Continue with the rows of a database; raise the errors of `parse`."""
        self._written = {key: text for key, text in rows}  # noqa: C416 (a row is a tuple of any length)
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

    def pending(self) -> Mapping[str, str | None]:
        """Return the changes that are not written yet; None stands for a deleted row."""
        return dict(self._pending)

    @property
    def has_pending(self) -> bool:
        """Whether there are changes that are not written yet."""
        return bool(self._pending)

    def rows(self, pending: Mapping[str, str | None]) -> RowChanges:
        """Return the rows of pending changes."""
        replaced = [(key, text) for key, text in pending.items() if text is not None]
        return RowChanges(self._name, replaced, [(key,) for key, text in pending.items() if text is None])

    def mark_written(self, pending: Mapping[str, str | None]) -> None:
        """Record that changes were committed. Changes that were made meanwhile stay pending."""
        for key, text in pending.items():
            if text is None:
                self._written.pop(key, None)
            else:
                self._written[key] = text
            if self._pending[key] == text:
                del self._pending[key]

    def mark_lost(self) -> None:
        """Record that all written rows were lost."""
        self._written, self._pending = {}, {**self._written, **self._pending}
