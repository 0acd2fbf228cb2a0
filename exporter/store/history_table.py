"""The histories of data sources in memory, including those that are not written yet."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from exporter.store import codec
from exporter.store.row_changes import RowChanges

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from exporter.domain.counting.source_history import SourceHistory
    from exporter.domain.counting.tracked_job import TrackedJob
    from exporter.store.row_changes import Row


class HistoryTable:
    """A row with the totals of each source, and a row for each of its jobs. Not thread-safe."""

    def __init__(self) -> None:
        self._written: dict[str, SourceHistory] = {}
        self._pending: dict[str, SourceHistory | None] = {}

    def load(self, sources: Iterable[Row], jobs: Iterable[Row]) -> None:
        """Continue with the rows of a database; raise one of `codec.UNREADABLE` if one is not valid."""
        by_source: dict[str, dict[str, TrackedJob]] = defaultdict(dict)
        for source, execution_id, state in jobs:
            by_source[source][execution_id] = codec.load_job(state)
        self._written = {key: codec.load_history(totals, by_source[key]) for key, totals in sources}

    def get(self, key: str) -> SourceHistory | None:
        """Return a source's history."""
        return self._pending[key] if key in self._pending else self._written.get(key)

    def put(self, key: str, history: SourceHistory | None) -> None:
        """Replace a source's history; None deletes it."""
        if self.get(key) is not history:
            self._pending[key] = history

    def pending(self) -> Mapping[str, SourceHistory | None]:
        """Return the histories that are not written yet; None stands for a deleted one."""
        return dict(self._pending)

    @property
    def has_pending(self) -> bool:
        """Whether there are histories that are not written yet."""
        return bool(self._pending)

    def rows(self, pending: Mapping[str, SourceHistory | None]) -> tuple[RowChanges, RowChanges]:
        """Return the rows of pending histories: their totals, and the jobs that differ from the written ones."""
        totals = [(key, codec.dump_totals(history)) for key, history in pending.items() if history]
        deleted = [(key,) for key, history in pending.items() if history is None]
        changed, evicted = [], []
        for key, history in pending.items():
            written, jobs = self._written_jobs(key), history.jobs if history else {}
            changed += [(key, id_, codec.dump_job(job)) for id_, job in jobs.items() if written.get(id_) != job]
            evicted += [(key, id_) for id_ in written.keys() - jobs.keys()]
        return RowChanges("source", totals, deleted), RowChanges("job", changed, evicted)

    def _written_jobs(self, key: str) -> Mapping[str, TrackedJob]:
        written = self._written.get(key)
        return written.jobs if written else {}

    def mark_written(self, pending: Mapping[str, SourceHistory | None]) -> None:
        """Record that histories were committed. Histories that were replaced meanwhile stay pending."""
        for key, history in pending.items():
            if history is None:
                self._written.pop(key, None)
            else:
                self._written[key] = history
            if self._pending[key] is history:
                del self._pending[key]

    def mark_lost(self) -> None:
        """Record that all written rows were lost."""
        self._written, self._pending = {}, {**self._written, **self._pending}

    def unwatched_since(self, time: float, watched: AbstractSet[str]) -> list[str]:
        """Return the sources that are not in `watched` and were last polled before a time."""
        histories = ((key, self.get(key)) for key in self._written.keys() - watched)
        return sorted(key for key, history in histories if history and history.as_of < time)
