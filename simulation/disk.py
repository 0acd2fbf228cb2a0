"""The state file on a disk that can be full, with points at which the process may crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from exporter.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.domain.counting.source_history import SourceHistory


class CrashError(BaseException):
    """The death of the process. It is a BaseException, so that the program cannot catch it."""


class SimulatedDisk(Protocol):
    """The disk of the state file."""

    def is_full(self) -> bool:
        """Return whether the disk rejects writes."""

    def at_commit(self, point: str, keys: set[str]) -> None:
        """Record a point of a commit; raise CrashError if the process must crash there."""


class FallibleStore(Store):
    """The real store on a simulated disk."""

    def __init__(self, disk: SimulatedDisk, path: str, on_write_failure: Callable[[], None]) -> None:
        self._disk = disk
        self._was_full = False
        super().__init__(path, on_write_failure)

    def commit(self, histories: Mapping[str, SourceHistory]) -> None:
        """Write histories. The process may crash just before or just after."""
        changed = {key for key, history in histories.items() if self.history(key) is not history}
        new = {key for key in changed if self.history(key) is None}
        if changed:
            self._disk.at_commit("before commit", new)
        super().commit(histories)
        if changed:
            self._disk.at_commit("after commit", new)

    def save_poll_times(self, times: Mapping[str, float]) -> None:
        """Save the times of polls. The process may crash just before or just after."""
        histories = ((self.history(key), time) for key, time in times.items())
        has_changes = any(history and time > history.as_of for history, time in histories)
        if has_changes:
            self._disk.at_commit("before commit", set())
        super().save_poll_times(times)
        if has_changes:
            self._disk.at_commit("after commit", set())

    def _flush(self) -> None:
        if self._disk.is_full() != self._was_full and not self._closed:
            self._was_full = self._disk.is_full()
            # With this setting, every write fails, as on a full disk.
            self._database.connection.execute(f"PRAGMA query_only = {int(self._was_full)}")
        super()._flush()
