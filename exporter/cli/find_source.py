"""Finds data sources in the configuration or by discovery: the one that a command line names, or any one."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from exporter.cli.oneshot import OneShotTarget
from exporter.discovery.crawler import ContainerContents, Containers, Crawler
from exporter.discovery.failures import DiscoveryFailures
from exporter.discovery.filters import Candidate, SourceFilters
from exporter.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.config import Config
    from exporter.domain.model import SourceId
    from exporter.errors import ProviderError

    Candidates = Mapping[SourceId, OneShotTarget]

MAX_LISTINGS = 100  # in the search for any data source


def find_source(config: Config, identifier: str) -> tuple[SourceId, OneShotTarget]:
    """Return the data source with an id, and its target. Raise StartupError if there is none, or more than one.

    Discovery is used only if the configuration does not name the data source. The id may follow the ids of its
    containers, separated by slashes.
    """
    targets = [OneShotTarget(target, config.polling) for target in config.targets]
    found = _select({source: target for target in reversed(targets) for source in _named(target)}, identifier)
    if not found:
        found = _discover([target for target in targets if target.config.discovery], identifier)
    if len(found) > 1:
        ids = ", ".join(sorted(map(str, found)))
        raise StartupError(f"data source {identifier} is ambiguous: set --data-source to one of {ids}")
    return next(iter(found.items()))


def _named(target: OneShotTarget) -> Iterator[SourceId]:
    for source in target.config.data_sources:
        yield target.config.source_id(source)


def _select(candidates: Candidates, identifier: str) -> Candidates:
    return {
        source: target for source, target in candidates.items() if identifier in {source.data_source_id, str(source)}
    }


def _discover(targets: list[OneShotTarget], identifier: str) -> Candidates:
    """Return the data sources with this id that discovery finds; raise StartupError if it finds none."""
    if not targets:
        raise StartupError(
            f"data source {identifier} is not in the configuration, and no target has discovery enabled: "
            "add it to data_sources, or add discovery"
        )
    candidates: dict[SourceId, OneShotTarget] = {}
    failures: dict[str, ProviderError] = {}
    for target in reversed(targets):
        crawl = DiscoveryFailures(target.name)
        candidates |= dict.fromkeys(_listed(target, crawl), target)
        failures |= crawl.failed
    found = _select(candidates, identifier)
    if not found:
        raise StartupError(_not_found(identifier, len(candidates), failures))
    return found


def _listed(target: OneShotTarget, failures: DiscoveryFailures) -> Iterator[SourceId]:
    """Yield all data sources of a target, regardless of its filters."""
    with failures.isolate_run():
        for found in target.crawl_all(failures):
            if isinstance(found, ContainerContents) and found.listing:
                yield from (found.id.source(each) for each in found.listing.items)


def _not_found(identifier: str, listed: int, failures: Mapping[str, ProviderError]) -> str:
    message = f"data source {identifier} not found among the {listed} that discovery lists"
    if failures:
        resource, error = next(iter(failures.items()))
        message += f"; {len(failures)} listings failed, such as that of {resource}: {error}"
    return message


def any_watched_source(target: OneShotTarget) -> tuple[str, ...]:
    """Return the ids of any data source that the target watches, from the outermost container.

    If discovery finds none, return the ids of a container that it lists, or none. Example: the first application of an
    account is empty, or a filter excludes it.
    """
    if target.config.data_sources or target.config.discovery is None:
        return next((source.path for source in target.config.data_sources), ())
    path: tuple[str, ...] = ()
    filters, failures = SourceFilters(target.config.discovery), DiscoveryFailures(target.name, is_logged=False)
    with failures.isolate_run():
        crawler = Crawler(target.config.service, target.provider, filters, (), failures)
        for found in islice(crawler.crawl(), MAX_LISTINGS):
            if isinstance(found, Containers):
                paths = [container.path for container in found.selected]
            elif paths := list(_watched(found, filters)):
                return paths[0]
            path = max([path, *paths], key=len)
    return path


def _watched(contents: ContainerContents, filters: SourceFilters) -> Iterator[tuple[str, ...]]:
    """Yield the ids of each data source of a container that the filters may match."""
    names = contents.id.service.by_word(contents.names)
    for identifier, listed in (contents.listing.items if contents.listing else {}).items():
        if filters.match(Candidate(names, listed.name, listed.type or None)) is not False:
            yield contents.id.source(identifier).path
