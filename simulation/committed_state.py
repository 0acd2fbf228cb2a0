"""The committed state of a process, which the next process would find."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from exporter.store import codec

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.domain.counting.source_history import SourceHistory


class CommittedState:
    """Reads the state file through its own connection, which is kept until `close`."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None

    def read(self, path: Path) -> tuple[dict[str, SourceHistory], set[float]]:
        """Return the histories without their jobs, by data source, and the times since which targets are watched."""
        rows = self._open(path).execute("SELECT key, totals FROM source").fetchall()
        histories = {key.rsplit("/", 1)[1]: codec.load_history(totals, {}) for key, totals in rows}
        return histories, set(self._times(path, "watched since/").values())

    def attempted(self, path: Path) -> dict[str, float]:
        """Return when the first poll of a process was last attempted, by data source."""
        return {key.rsplit("/", 1)[1]: moment for key, moment in self._times(path, "attempted/").items()}

    def _times(self, path: Path, prefix: str) -> dict[str, float]:
        query = "SELECT key, value FROM target WHERE key LIKE ?"
        return {key: float(text) for key, text in self._open(path).execute(query, (f"{prefix}%",)).fetchall()}

    def _open(self, path: Path) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        return self._connection

    def close(self) -> None:
        """Close the file, because a process that has ended leaves another file at the same path."""
        if self._connection:
            self._connection.close()
        self._connection = None
