"""Lists the contents of a target: its containers, and the data sources in the innermost ones.

Containers are nested as in the service: the indexes of Amazon Q Business are in applications. If a listing fails, the
crawl skips what is below it, and continues. A resource is missing only if a successful listing does not contain it; a
failed listing proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.discovery.filters import Candidate
from exporter.domain.model import ContainerId
from exporter.errors import Reason
from exporter.target.source_log import container_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exporter.discovery.failures import DiscoveryFailures
    from exporter.discovery.filters import SourceFilters
    from exporter.domain.model import ContainerFacts, Description, SourceId
    from exporter.domain.service import Service
    from exporter.providers import Listing, Provider


@dataclass(frozen=True, slots=True)
class Containers:
    """A listing of the containers in another container, or of the outermost ones if `parent` is None.

    `selected` are the containers that the filters may match. If `parent` is set, they include those that the
    configuration names.
    """

    parent: ContainerId | None
    selected: frozenset[ContainerId]
    listing: Listing[str]


@dataclass(frozen=True, slots=True)
class ContainerContents:
    """The data sources of one container, and its properties; None stands for a response that AWS refused.

    The properties are also None if their response is malformed. `names` are the display names from the outermost
    container to this one. A name that was not listed is empty.
    """

    id: ContainerId
    names: tuple[str, ...]
    facts: ContainerFacts | None
    listing: Listing[Description] | None

    def __str__(self) -> str:
        """Return the container and the containers around it, for logs."""
        return container_text(self.id, self.names)


Found = Containers | ContainerContents


class Crawler:
    """Lists everything that the filters may match, and the containers of data sources that the configuration names."""

    def __init__(
        self,
        service: Service,
        provider: Provider,
        filters: SourceFilters | None,
        named: Sequence[SourceId],
        failures: DiscoveryFailures,
    ) -> None:
        self._service = service
        self._provider = provider
        self._filters = filters
        self._named = named
        self._failures = failures
        self.matched: set[str] = set()
        """The names of the filters that have matched a container."""

    def crawl(self) -> Iterator[Found]:
        """Yield each listing; the next one is requested when the iterator advances."""
        matching: dict[ContainerId, str] = {}
        if self._filters is not None:
            listing = self._provider.containers(None)
            self._failures.add_warnings(f"the list of {self._service.root.plural}", listing.warnings)
            outermost = {ContainerId(self._service, (id_,)): name for id_, name in listing.items.items()}
            matching = dict(self._matching(self._filters, outermost, ()))
            yield Containers(None, frozenset(matching), listing)
        for container in dict.fromkeys((*matching, *(source.root for source in self._named))):
            names = (matching.get(container, ""),)
            with self._failures.isolate(container_text(container, names)):
                yield from self._container(container, names, is_listed=container in matching)

    def _container(self, container: ContainerId, names: tuple[str, ...], *, is_listed: bool) -> Iterator[Found]:
        """Yield the contents of a container, or the listing of the containers in it and their contents."""
        if container.is_innermost:
            yield self._contents(container, names)
            return
        depth, matching = len(container.path) + 1, {}
        above = (ContainerId(self._service, source.path[:depth]) for source in self._named)
        named = dict.fromkeys((each for each in above if each.is_in(container)), "")
        if self._filters is not None and is_listed:
            listing = self._provider.containers(container)
            plural = self._service.levels[depth - 1].plural
            self._failures.add_warnings(f"the list of {plural} of {container_text(container, names)}", listing.warnings)
            inner = {container.child(id_): name for id_, name in listing.items.items()}
            matching = dict(self._matching(self._filters, inner, names))
            yield Containers(container, frozenset({*named, *matching}), listing)
        for child, name in {**named, **matching}.items():
            yield from self._container(child, (*names, name), is_listed=child in matching)

    def _contents(self, container: ContainerId, names: tuple[str, ...]) -> ContainerContents:
        resource = container_text(container, names)
        facts = self._facts(container, resource)
        name = names[-1] or (facts.name if facts else "")
        return ContainerContents(container, (*names[:-1], name), facts, self._listing(container, resource))

    def _facts(self, container: ContainerId, resource: str) -> ContainerFacts | None:
        # A malformed figure must not hide the data sources.
        also = {Reason.MALFORMED_RESPONSE}
        with self._failures.isolate(f"figures of {resource}", refusals_only=True, also=also):
            return self._provider.container(container)
        return None

    def _listing(self, container: ContainerId, resource: str) -> Listing[Description] | None:
        with self._failures.isolate(f"data sources of {resource}", refusals_only=True):
            listing = self._provider.data_sources(container)
            self._failures.add_warnings(f"the list of data sources of {resource}", listing.warnings)
            return listing
        return None

    def _matching(
        self, filters: SourceFilters, listed: Mapping[ContainerId, str], names: tuple[str, ...]
    ) -> Iterator[tuple[ContainerId, str]]:
        """Yield the listed containers that the filters may match; `names` are those of the containers around them."""
        for container, name in listed.items():
            candidate = Candidate(self._service.by_word((*names, name)))
            self.matched |= filters.matching(candidate, include_unknown=False)
            if filters.match(candidate) is not False:
                yield container, name
