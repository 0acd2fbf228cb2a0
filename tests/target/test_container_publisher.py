"""An index has the highest minimum that the objectives of its data sources set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.model import DataSource, SourceId
from exporter.domain.objective_record import ObjectiveRecord
from exporter.exposition import ExpositionCache
from exporter.metrics import ContainerFamilies
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import AwsClock
from exporter.target.container_publisher import ContainerPublisher
from tests.support.builders import NOON, FakeClock
from tests.support.status_fixtures import make_container_snapshot, make_snapshot

if TYPE_CHECKING:
    from exporter.domain.snapshots import ContainerSnapshot

INDEX = make_container_snapshot()


class PublishedIndex:
    """An index that a publisher publishes, with the objectives of its data sources."""

    def __init__(self) -> None:
        clock = FakeClock()
        self._clock = AwsClock(clock)
        self._cache: ExpositionCache[ContainerSnapshot] = ExpositionCache(ContainerFamilies(QBUSINESS), clock)
        self.publisher = ContainerPublisher(self._cache)

    def read(self, at: float = NOON) -> None:
        """Publish the index as discovery has read it at a time."""
        self.publisher.put(replace(INDEX, read_at=at), self._clock)

    def set(self, source: str, minimum: float | None, since: float | None = None) -> None:
        """Publish a data source with the minimum that its objective sets."""
        values = {} if minimum is None else {"min_index_documents": minimum}
        starts = {} if since is None else {"min_index_documents": since}
        published = DataSource("production", source_in_index(source))
        self.publisher.put_source(
            replace(make_snapshot(1, source), source=published, objectives=ObjectiveRecord(values, starts))
        )

    @property
    def minimums(self) -> list[float | None]:
        """The minimum of the published index; empty while no index is published."""
        return [snapshot.min_documents for snapshot, _ in self._cache.snapshots()]


def source_in_index(name: str) -> SourceId:
    """Return the id of a data source of the index."""
    return INDEX.id.source(name)


def test_the_highest_minimum_applies() -> None:
    """Objectives may become known before the index and after it, and may disappear."""
    index = PublishedIndex()
    index.set("a", 10)
    assert index.minimums == []
    index.read()
    assert index.minimums == [10]
    index.set("b", 20)
    assert index.minimums == [20]
    index.set("b", 5)
    assert index.minimums == [10]
    index.publisher.remove_source(source_in_index("a"))
    assert index.minimums == [5]
    index.set("b", None)
    assert index.minimums == [None]


def test_a_minimum_does_not_judge_what_was_read_before_it_was_set() -> None:
    """It takes effect at the next discovery run. An earlier minimum stays in effect."""
    index = PublishedIndex()
    index.read(NOON)
    index.set("a", 10)
    index.set("b", 20, since=NOON + 60)
    assert index.minimums == [10]
    index.read(NOON + 900)
    assert index.minimums == [20]


def test_a_removed_index_is_not_published_again() -> None:
    """One of its data sources may be published once more."""
    index = PublishedIndex()
    index.read()
    index.publisher.remove(INDEX.id)
    index.set("a", 10)
    assert index.minimums == []
