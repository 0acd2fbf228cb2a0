"""Lists the contents of a target: its applications, their indexes, and the data sources of each index.

If a listing fails, the crawl skips what is below it, and continues. A resource is missing only if a successful listing
does not contain it; a failed listing proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.discovery.filters import Candidate
from exporter.domain.model import ContainerId
from exporter.target.source_log import name_and_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exporter.discovery.failures import DiscoveryFailures
    from exporter.discovery.filters import SourceFilters
    from exporter.domain.model import ContainerFacts, Description, SourceId
    from exporter.providers import Listing, Provider


@dataclass(frozen=True, slots=True)
class Applications:
    """A listing of applications, and the names by id of those that the filters may match."""

    selected: Mapping[str, str]
    listing: Listing[str]


@dataclass(frozen=True, slots=True)
class Indexes:
    """A listing of the indexes of an application, and those that the filters may match or the configuration names."""

    application_id: str
    selected: frozenset[ContainerId]
    listing: Listing[str]


@dataclass(frozen=True, slots=True)
class ContainerContents:
    """The contents of one index. Names that were not listed are empty; None stands for a response that AWS refused."""

    application: str
    id: ContainerId
    name: str
    facts: ContainerFacts | None
    listing: Listing[Description] | None

    def __str__(self) -> str:
        """Return the index and its application, for logs."""
        return _index_text(self.application, self.id, self.name)


Found = Applications | Indexes | ContainerContents


class Crawler:
    """Lists what the filters may match, and the indexes of the data sources that the configuration names."""

    def __init__(
        self, provider: Provider, filters: SourceFilters | None, named: Sequence[SourceId], failures: DiscoveryFailures
    ) -> None:
        self._provider = provider
        self._filters = filters
        self._named = named
        self._failures = failures
        self.matched: set[str] = set()
        """The names of the filters that have matched an application or an index."""

    def crawl(self) -> Iterator[Found]:
        """Yield each listing; the next one is requested when the iterator advances."""
        names: Mapping[str, str] = {}
        if self._filters is not None:
            listing = self._provider.applications()
            self._failures.add_warnings("the list of applications", listing.warnings)
            listed = listing.items.items()
            names = {id_: name for id_, name in listed if self._may_match(self._filters, Candidate(name))}
            yield Applications(names, listing)
        for identifier in dict.fromkeys((*names, *(source.application_id for source in self._named))):
            name = names.get(identifier, "")
            with self._failures.isolate(f"application {name_and_id(name, identifier)}"):
                yield from self._application(identifier, name, is_listed=identifier in names)

    def _application(self, identifier: str, name: str, *, is_listed: bool) -> Iterator[Found]:
        names = {source.container: "" for source in self._named if source.application_id == identifier}
        if self._filters is not None and is_listed:
            listing = self._provider.indexes(identifier)
            resource = f"the list of indexes of application {name_and_id(name, identifier)}"
            self._failures.add_warnings(resource, listing.warnings)
            for index, index_name in listing.items.items():
                if self._may_match(self._filters, Candidate(name, index_name)):
                    names[ContainerId(identifier, index)] = index_name
            yield Indexes(identifier, frozenset(names), listing)
        for index_id, index_name in names.items():
            yield self._contents(name, index_id, index_name)

    def _contents(self, application: str, index: ContainerId, name: str) -> ContainerContents:
        resource = _index_text(application, index, name)
        facts = self._facts(index, resource)
        return ContainerContents(
            application, index, name or (facts.name if facts else ""), facts, self._listing(index, resource)
        )

    def _facts(self, index: ContainerId, resource: str) -> ContainerFacts | None:
        with self._failures.isolate(f"figures of {resource}", refusals_only=True):
            return self._provider.index(index)
        return None

    def _listing(self, index: ContainerId, resource: str) -> Listing[Description] | None:
        with self._failures.isolate(f"data sources of {resource}", refusals_only=True):
            listing = self._provider.data_sources(index)
            self._failures.add_warnings(f"the list of data sources of {resource}", listing.warnings)
            return listing
        return None

    def _may_match(self, filters: SourceFilters, candidate: Candidate) -> bool:
        self.matched |= filters.matching(candidate, include_unknown=False)
        return filters.match(candidate) is not False


def _index_text(application: str, index: ContainerId, name: str) -> str:
    return f"index {name_and_id(name, index.index_id)} of application {name_and_id(application, index.application_id)}"
