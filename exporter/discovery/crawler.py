"""The way through what a target has: applications, their indexes, and the data sources of each.

Wherever an answer cannot be had, its branch is left out and the walk goes on. What is not in a listing that did come
has gone; what is in no listing has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.discovery.filters import Candidate
from exporter.domain.model import IndexId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exporter.discovery.failures import DiscoveryFailures
    from exporter.discovery.filters import SourceFilters
    from exporter.domain.model import Description, IndexFacts, SourceId
    from exporter.providers import Listing, Provider


@dataclass(frozen=True, slots=True)
class Applications:
    """What a successful listing of applications has, and of those that may have something wanted the names by id."""

    wanted: Mapping[str, str]
    listing: Listing[str]


@dataclass(frozen=True, slots=True)
class Indexes:
    """What a successful listing of one application's indexes has, and those of them that may have something wanted."""

    application_id: str
    wanted: frozenset[IndexId]
    listing: Listing[str]


@dataclass(frozen=True, slots=True)
class IndexContents:
    """What one index has; names are as listed, empty where nothing was listed. None is what could not be had."""

    application: str
    id: IndexId
    name: str
    facts: IndexFacts | None
    listing: Listing[Description] | None


Found = Applications | Indexes | IndexContents


class Crawler:
    """A walk, round after round, over what the rules may want and what the configuration names."""

    def __init__(
        self, provider: Provider, filters: SourceFilters | None, named: Sequence[SourceId], failures: DiscoveryFailures
    ) -> None:
        self._provider = provider
        self._filters = filters
        self._named = named
        self._failures = failures
        self.matched: set[str] = set()

    def crawl(self) -> Iterator[Found]:
        """Yield what there is to see."""
        names: Mapping[str, str] = {}
        if self._filters is not None:
            listing = self._provider.applications()
            self._failures.warn("the list of applications", listing.warnings)
            names = {id_: name for id_, name in listing.items.items() if self._may_want(self._filters, Candidate(name))}
            yield Applications(names, listing)
        for identifier in dict.fromkeys((*names, *(source.application_id for source in self._named))):
            name = names.get(identifier, "")
            with self._failures.isolate(f"application {called(name, identifier)}"):
                yield from self._application(identifier, name, is_listed=identifier in names)

    def _application(self, identifier: str, name: str, *, is_listed: bool) -> Iterator[Found]:
        names = {source.index: "" for source in self._named if source.application_id == identifier}
        if self._filters is not None and is_listed:
            listing = self._provider.indexes(identifier)
            self._failures.warn(f"the list of indexes of application {called(name, identifier)}", listing.warnings)
            for index, index_name in listing.items.items():
                if self._may_want(self._filters, Candidate(name, index_name)):
                    names[IndexId(identifier, index)] = index_name
            yield Indexes(identifier, frozenset(names), listing)
        for index_id, index_name in names.items():
            yield self._contents(name, index_id, index_name)

    def _contents(self, application: str, index: IndexId, name: str) -> IndexContents:
        where = f"index {called(name, index.index_id)} of application {called(application, index.application_id)}"
        facts = self._facts(index, where)
        return IndexContents(
            application, index, name or (facts.name if facts else ""), facts, self._listing(index, where)
        )

    def _facts(self, index: IndexId, where: str) -> IndexFacts | None:
        with self._failures.isolate(f"figures of {where}", refusals_only=True):
            return self._provider.index(index)
        return None

    def _listing(self, index: IndexId, where: str) -> Listing[Description] | None:
        with self._failures.isolate(f"data sources of {where}", refusals_only=True):
            listing = self._provider.data_sources(index)
            self._failures.warn(f"the list of data sources of {where}", listing.warnings)
            return listing
        return None

    def _may_want(self, filters: SourceFilters, candidate: Candidate) -> bool:
        self.matched |= filters.matching(candidate, surely=True)
        return filters.match(candidate) is not False


def called(name: str, identifier: str) -> str:
    """Write of what the talk is: a name where there is one, and the id."""
    return f"{name} ({identifier})" if name else identifier
