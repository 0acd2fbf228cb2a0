"""The target that polls a data source if several targets have found it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.domain.model import SourceId


class SourceOwnership:
    """Each data source belongs to the target that claimed it first; for any thread."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._owners: dict[SourceId, str] = {}

    def claim(self, source: SourceId, target: str) -> str:
        """Claim a source for a target, and return the target that owns it."""
        with self._mutex:
            return self._owners.setdefault(source, target)

    def owner(self, source: SourceId) -> str | None:
        """Return the target that owns a source."""
        with self._mutex:
            return self._owners.get(source)

    def release(self, source: SourceId, target: str) -> None:
        """Release a source, if the target owns it."""
        with self._mutex:
            if self._owners.get(source) == target:
                del self._owners[source]
