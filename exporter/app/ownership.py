"""Which target polls which data source, where two see the same."""

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
        """Claim a source for a target, and give the target that has it."""
        with self._mutex:
            return self._owners.setdefault(source, target)

    def owner(self, source: SourceId) -> str | None:
        """Give the target that has a source."""
        with self._mutex:
            return self._owners.get(source)

    def release(self, source: SourceId, target: str) -> None:
        """Give a source back."""
        with self._mutex:
            if self._owners.get(source) == target:
                del self._owners[source]
