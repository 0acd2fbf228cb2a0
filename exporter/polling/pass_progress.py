"""The progress of passes: which data sources of a queue were polled, at all and since the last pass ended."""

from __future__ import annotations


class PassProgress:
    """The sources of a queue, and which of them have not been polled yet. It is not thread-safe."""

    def __init__(self) -> None:
        """Start without sources."""
        self._sources: set[str] = set()
        self._unpolled: set[str] = set()
        self._remaining: set[str] = set()
        self.has_succeeded = False
        """Whether any poll has succeeded."""

    def __len__(self) -> int:
        """Return the number of sources."""
        return len(self._sources)

    def __contains__(self, key: str) -> bool:
        """Return whether the source is in the queue."""
        return key in self._sources

    def add(self, key: str, *, is_polled: bool) -> None:
        """Add a source, which the previous queue may have polled; the current pass waits for it."""
        self._sources.add(key)
        self._remaining.add(key)
        if not is_polled:
            self._unpolled.add(key)

    def remove(self, key: str) -> None:
        """Remove a source; no pass waits for it any more."""
        for keys in (self._sources, self._unpolled, self._remaining):
            keys.discard(key)

    def complete(self, key: str, *, succeeded: bool) -> None:
        """Record that a poll of a source has ended."""
        self._unpolled.discard(key)
        self._remaining.discard(key)
        self.has_succeeded |= succeeded

    def end(self) -> bool:
        """Return whether every source has been polled since the last pass ended; if so, start the next pass."""
        if self._remaining or not self._sources:
            return False
        self._remaining = set(self._sources)
        return True

    def polled(self) -> set[str]:
        """Return the sources that have been polled."""
        return self._sources - self._unpolled

    @property
    def unready(self) -> str | None:
        """The reason why the first pass has not ended; None once it has."""
        number = len(self._unpolled)
        sources = "1 data source" if number == 1 else f"{number} data sources"
        return f"{sources} not polled yet" if number else None
