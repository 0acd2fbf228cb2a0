"""Publishes indexes, each with the minimum number of documents from the objectives of its data sources."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.domain.model import ContainerId, SourceId
    from exporter.domain.objective_record import ObjectiveRecord
    from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot
    from exporter.exposition import ExpositionCache
    from exporter.runtime import ServiceClock

_OBJECTIVE = "min_index_documents"


@dataclass(frozen=True, slots=True)
class _Minimum:
    """The minimum number of documents, and the time since which it applies; None if it always applies."""

    documents: float
    since: float | None


class ContainerPublisher:
    """Publishes the indexes of all targets. Thread-safe.

    Discovery reads an index, and other threads record the objectives of its data sources when they publish these, in
    any order. So each of the two events publishes the index. A minimum does not apply to figures from before it was
    set. Example: a reload sets a minimum at 12:00. The index was read at 11:50, and is published without the minimum
    until discovery reads it again at 12:05.
    """

    def __init__(self, cache: ExpositionCache[ContainerSnapshot]) -> None:
        self._cache = cache
        self._mutex = threading.Lock()
        self._indexes: dict[ContainerId, tuple[ContainerSnapshot, ServiceClock]] = {}
        self._minimums: defaultdict[ContainerId, dict[SourceId, _Minimum]] = defaultdict(dict)

    def put(self, snapshot: ContainerSnapshot, clock: ServiceClock) -> None:
        """Publish an index that discovery has read."""
        with self._mutex:
            self._indexes[snapshot.id] = (snapshot, clock)
            self._publish(snapshot.id)

    def remove(self, index: ContainerId) -> None:
        """Remove an index from everything that is exposed."""
        with self._mutex:
            if self._indexes.pop(index, None):
                self._cache.remove(str(index))

    def put_source(self, snapshot: SourceSnapshot) -> None:
        """Publish the index of a data source again if the objectives of the data source change the index's minimum."""
        self._set(snapshot.source.id, _minimum(snapshot.objectives))

    def remove_source(self, source: SourceId) -> None:
        """Publish the index of a removed data source without the minimum that the data source has set."""
        self._set(source, None)

    def _set(self, source: SourceId, minimum: _Minimum | None) -> None:
        with self._mutex:
            minimums = self._minimums[source.container]
            if minimums.get(source) == minimum:
                return
            if minimum is None:
                del minimums[source]
            else:
                minimums[source] = minimum
            self._publish(source.container)

    def _publish(self, index: ContainerId) -> None:
        if index not in self._indexes:
            return
        snapshot, clock = self._indexes[index]
        minimums = self._minimums[index].values()
        holding = (each.documents for each in minimums if each.since is None or each.since <= snapshot.read_at)
        self._cache.put(str(index), replace(snapshot, min_documents=max(holding, default=None)), clock)


def _minimum(record: ObjectiveRecord | None) -> _Minimum | None:
    if record is None or _OBJECTIVE not in record.values:
        return None
    return _Minimum(record.values[_OBJECTIVE], record.starts.get(_OBJECTIVE))
