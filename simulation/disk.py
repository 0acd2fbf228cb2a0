"""The state file on a disk that can be full, and moments at which the process may die."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from exporter.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.domain.source_history import SourceHistory


class CrashError(BaseException):
    """The end of the process, wherever it stands; nothing in the program may catch it."""


class Disk(Protocol):
    """What a state file lies on."""

    def is_full(self) -> bool:
        """Tell whether nothing can be written."""

    def reach(self, point: str, keys: set[str]) -> None:
        """Take note of a moment around a commit; raises CrashError where the process is to die there."""


class FallibleStore(Store):
    """The real store, on a disk of the simulation."""

    def __init__(self, disk: Disk, path: str, on_write_failure: Callable[[], None]) -> None:
        self._disk = disk
        self._was_full = False
        super().__init__(path, on_write_failure)

    def commit(self, histories: Mapping[str, SourceHistory]) -> None:
        """Write histories, unless the process dies before; it may die just after as well."""
        news = {key for key, history in histories.items() if self.history(key) is not history}
        fresh = {key for key in news if self.history(key) is None}
        if news:
            self._disk.reach("before commit", fresh)
        super().commit(histories)
        if news:
            self._disk.reach("after commit", fresh)

    def has_unwritten(self) -> bool:
        """Tell whether something waits to be written."""
        return bool(self._pending or any(notes.waiting for notes in self._notes))

    def _flush(self) -> None:
        if self._disk.is_full() != self._was_full and not self._closed:
            self._was_full = self._disk.is_full()
            # Each write then fails as it does on a disk that takes none.
            self._db.execute(f"PRAGMA query_only = {int(self._was_full)}")
        super()._flush()
