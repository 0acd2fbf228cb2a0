"""`plan`: calculate the series and the requests that the configuration will cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from exporter.app.settings import Settings
from exporter.cli.config_files import read
from exporter.cli.oneshot import OneShotTarget
from exporter.cli.output import print_output
from exporter.cli.plan_series import plan_series
from exporter.discovery.crawler import ContainerContents, Containers, Crawler
from exporter.discovery.failures import DiscoveryFailures
from exporter.discovery.filters import Candidate, SourceFilters
from exporter.discovery.loop import NAMED_ONLY_INTERVAL
from exporter.discovery.source_descriptions import SourceDescriptions
from exporter.discovery.tag_cache import REQUEST_SHARE
from exporter.discovery.tag_keys import TagKeys
from exporter.domain.durations import format_duration
from exporter.domain.service import Use
from exporter.domain.units import DAY, HOUR
from exporter.events.receiver import LONG_POLL
from exporter.polling.watermark import FULL_REREAD_INTERVAL

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Collection, Iterator

    from exporter.config import Config, PollingConfig, TargetConfig
    from exporter.domain.model import ContainerId, SourceId
    from exporter.domain.service import Service

SYNCS_A_DAY = 1  # assumed, if the outcome of each ended job takes a request
SYNCING_SHARE = 0.1  # assumed share of the time in which a data source is syncing or due to sync
REREAD_REQUESTS = 2  # pages of a polling window of one day
MAX_SHARE = 0.7  # share of the rate limit above which polls are late in an hour with many syncs


@dataclass(frozen=True, slots=True)
class Size:
    """The size of the part of a target that the exporter watches."""

    sources: int
    containers: tuple[int, ...]
    """Containers of each level, the outermost first."""
    pages: int
    """Pages of the listings of data sources."""
    tagged: int = 0
    """Data sources whose tags are requested."""
    documents: int = 0
    """Documents in the containers, if they are counted."""


@dataclass(frozen=True, slots=True)
class Load:
    """A part of the requests, with the calculation of their number per hour."""

    name: str
    calculation: str
    per_hour: float


def run(arguments: Namespace) -> int:
    """Print the plan; return 1 if a part of a target could not be listed."""
    config = read(arguments).config
    complete = True
    for target in config.targets:
        one_shot = OneShotTarget(target, config.polling)
        tag_keys = TagKeys.of(target.discovery, config.objective_tags)
        size, failures = _measure(one_shot, tag_keys, counts_documents=config.documents.interval > 0)
        complete &= not failures
        for line in plan(one_shot.name, target, config, size):
            print_output(line)
        for resource, error in failures.items():
            print_output(f"  not counted: {resource}: {error}")
    return 0 if complete else 1


def plan(name: str, target: TargetConfig, config: Config, size: Size) -> Iterator[str]:
    """Yield the plan of one target, line by line, with its calculation."""
    polling, exposed = config.polling, Settings.from_config(config).exposed
    service, containers = target.service, size.containers[-1]
    documents_interval = config.documents.interval if service.has(Use.DOCUMENTS) else 0.0
    levels = zip(size.containers, service.containers, strict=True)
    nested = " of ".join(level.counted(count) for count, level in reversed(list(levels)))
    yield f"target {name}: {service.levels[-1].counted(size.sources)} in {nested}"
    yield from plan_series(service, size.sources, containers, exposed, counts_documents=documents_interval > 0)
    parts = list(_loads(target, polling, size))
    limit = polling.requests_per_second * HOUR
    before_documents = sum(part.per_hour for part in parts)
    document_pages = _document_pages(service, size) if documents_interval > 0 else 0
    documents = list(_document_load(document_pages, documents_interval, limit - before_documents))
    total = before_documents + sum(part.per_hour for part in documents)
    yield "  requests per hour:"
    for part in (*parts, *documents):
        yield f"    {part.name:<16}{part.calculation:<58}{part.per_hour:>9,.0f}"
    yield f"    {'total':<74}{total:>9,.0f}"
    yield f"  rate limit: {polling.requests_per_second:g} per second = {limit:,.0f} per hour, {total / limit:.1%} used"
    if target.events:
        requests = HOUR / LONG_POLL
        yield f"  events: {requests:g} requests per hour to SQS, two more for ten events; no part of the rate limit"
    yield from _advice(polling, size, parts, before_documents / limit)
    yield from _document_advice(document_pages, documents_interval, limit - before_documents)


def _loads(target: TargetConfig, polling: PollingConfig, size: Size) -> Iterator[Load]:
    """Yield the parts of a target's requests."""
    idle_interval = polling.idle_interval_with_events if target.events else polling.idle_interval
    idle_polls, syncing_polls = HOUR / idle_interval, HOUR / polling.interval
    every = format_duration(idle_interval)
    yield Load("idle polls", f"{size.sources} x {idle_polls:g} (every {every})", size.sources * idle_polls)
    additional = max(0.0, syncing_polls - idle_polls)
    yield Load(
        "syncing or due",
        f"{size.sources} x {SYNCING_SHARE:.0%} of the time (assumed) x {additional:g} more",
        size.sources * SYNCING_SHARE * additional,
    )
    rereads = HOUR / FULL_REREAD_INTERVAL
    yield Load(
        "full rereads",
        f"{size.sources} x {rereads:.2f} (every {format_duration(FULL_REREAD_INTERVAL)}) x {REREAD_REQUESTS}",
        size.sources * rereads * REREAD_REQUESTS,
    )
    if target.service.has(Use.SYNC_JOB):
        outcomes = size.sources * SYNCS_A_DAY * HOUR / DAY
        reading = target.service.action(Use.SYNC_JOB)
        yield Load("outcomes", f"{size.sources} x {SYNCS_A_DAY} sync a day (assumed) x {reading}", outcomes)
    runs = HOUR / (target.discovery.interval if target.discovery else NAMED_ONLY_INTERVAL)
    yield _discovery_load(target, size, runs)
    if size.tagged:
        at_most = polling.requests_per_second * HOUR * REQUEST_SHARE
        tags = min(runs * size.tagged, at_most)
        yield Load("tags", f"{size.tagged} x {runs:g}, at most a tenth of the rate limit", tags)


def _discovery_load(target: TargetConfig, size: Size, runs: float) -> Load:
    """Return the requests of discovery. A container without figures is requested only after it was updated."""
    service, listings = target.service, size.pages + (1 + sum(size.containers[:-1]) if target.discovery else 0)
    if target.discovery and not service.members.container_documents:
        return Load("discovery", f"{runs:g} runs x {listings} listings", runs * listings)
    containers, reading = size.containers[-1], service.action(Use.CONTAINER)
    requests = listings + containers
    return Load("discovery", f"{runs:g} runs x {requests} (listings, and {containers} x {reading})", runs * requests)


def _document_pages(service: Service, size: Size) -> int:
    """Return the maximum number of pages of all documents. Each data source may have a last page with one document."""
    return size.sources + size.documents // service.document_page_size


def _document_load(pages: int, interval: float, room: float) -> Iterator[Load]:
    """Yield the requests of the document counts, at most the `room` per hour that all other requests leave."""
    if interval > 0:
        runs = HOUR / interval
        calculation = f"at most {pages:,} pages x {runs:.3g} (every {format_duration(interval)})"
        yield Load("documents", calculation, max(0.0, min(pages * runs, room)))


def _document_advice(pages: int, interval: float, room: float) -> Iterator[str]:
    if interval > 0 and pages * HOUR / interval > room:
        yield "  warning: rate limit too low for documents.interval: documents are counted less often"
        if room > 0:
            yield f"    documents.interval: {format_duration(float(ceil(pages * HOUR / room / 60) * 60))}"


def _advice(polling: PollingConfig, size: Size, parts: list[Load], share: float) -> Iterator[str]:
    if share <= MAX_SHARE:
        return
    total = sum(part.per_hour for part in parts)
    others = total - parts[0].per_hour
    room = MAX_SHARE * polling.requests_per_second * HOUR - others
    problem = "too low for these intervals" if share > 1 else "too low for an hour with many syncs"
    yield f"  warning: rate limit {problem}. Set one of:"
    yield f"    requests_per_second: {ceil(total / HOUR / MAX_SHARE * 10) / 10:g}"
    if room > 0:
        yield f"    idle_interval: {format_duration(float(ceil(size.sources * HOUR / room / 60) * 60))}"


def _measure(target: OneShotTarget, tag_keys: TagKeys, *, counts_documents: bool) -> tuple[Size, dict[str, object]]:
    """Count the named data sources, and crawl the target for others; return errors by the affected resource."""
    filters = SourceFilters(target.config.discovery) if target.config.discovery else None
    service = target.config.service
    named = {target.config.source_id(source) for source in target.config.data_sources}
    containers = {each for source in named for each in source.container.with_parents()}
    pages, documents, wanted = len({source.container for source in named}), 0, set(named)
    tagged = len(named) if tag_keys.are_needed_of_all else 0
    failures, descriptions = DiscoveryFailures(target.name), SourceDescriptions(target.provider)
    if filters or counts_documents:
        pages = 0
        with failures.isolate_run():
            for found in Crawler(service, target.provider, filters, tuple(named), failures).crawl():
                if isinstance(found, Containers):
                    containers |= {each for each in found.selected if not each.is_innermost}
                elif isinstance(found, ContainerContents):
                    containers.add(found.id)
                    pages += found.listing.pages if found.listing else 1
                    documents += (found.facts.documents or 0) if found.facts and counts_documents else 0
                    matches: dict[SourceId, bool | None] = {}
                    if filters:
                        with failures.isolate(f"types of data sources of {found}"):
                            matches = dict(_match(filters, found, descriptions))
                    wanted |= {source for source, matched in matches.items() if matched is not False}
                    discovered = [matched for source, matched in matches.items() if source not in named]
                    tagged += sum(_needs_tags(matched, tag_keys) for matched in discovered)
    pages = max(pages, ceil(len(wanted) / service.page_size))
    size = Size(len(wanted), _count_levels(service, containers), pages, tagged, documents)
    return size, dict(failures.failed)


def _count_levels(service: Service, containers: Collection[ContainerId]) -> tuple[int, ...]:
    """Return the number of containers of each level, the outermost first."""
    depths = range(1, len(service.containers) + 1)
    return tuple(sum(len(container.path) == depth for container in containers) for depth in depths)


def _needs_tags(matched: bool | None, tag_keys: TagKeys) -> bool:  # noqa: FBT001 (the result of a filter)
    """Return whether the tags of a data source are requested, for a filter or for another setting."""
    return matched is None or (matched and tag_keys.are_needed_of_all)


def _match(
    filters: SourceFilters, contents: ContainerContents, descriptions: SourceDescriptions
) -> Iterator[tuple[SourceId, bool | None]]:
    """Yield the data sources of a container and whether the filters match; None if that depends on tags."""
    names = contents.id.service.by_word(contents.names)
    for identifier, listed in (contents.listing.items if contents.listing else {}).items():
        source, candidate = contents.id.source(identifier), Candidate(names, listed.name, listed.type or None)
        matched = filters.match(candidate)
        if matched is None and candidate.type is None:
            matched = filters.match(replace(candidate, type=descriptions.complete(source, listed).type))
        yield source, matched
