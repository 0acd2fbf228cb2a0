"""`plan`: calculate the series and the requests that the configuration will cost."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from exporter.cli.config_files import read
from exporter.cli.oneshot import OneShotTarget
from exporter.cli.output import print_output
from exporter.config import format_duration
from exporter.discovery.crawler import Applications, ContainerContents, Crawler
from exporter.discovery.failures import DiscoveryFailures
from exporter.discovery.filters import Candidate, SourceFilters
from exporter.discovery.loop import NAMED_ONLY_INTERVAL
from exporter.discovery.tag_cache import REQUEST_SHARE
from exporter.discovery.tag_keys import TagKeys
from exporter.domain.model import SourceId
from exporter.domain.units import HOUR
from exporter.metrics import series_per_container, series_per_source
from exporter.polling.watermark import FULL_REREAD_INTERVAL
from exporter.providers.registry import DOCUMENT_PAGE_SIZE, PAGE_SIZE

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from exporter.config import PollingConfig, TargetConfig

SYNCING_SHARE = 0.1  # assumed share of the time that a data source is syncing or due to sync
REREAD_REQUESTS = 2  # pages of a polling window of one day
OWN_SERIES = 130  # series about the exporter itself
MAX_SHARE = 0.7  # of the rate limit: above it, polls are late in an hour with many syncs


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a target, as far as the exporter watches it."""

    sources: int
    applications: int
    indexes: int
    pages: int
    """Pages of the listings of data sources."""
    tagged: int = 0
    """Data sources whose tags are requested."""
    documents: int = 0
    """Documents in the indexes, if they are counted."""


@dataclass(frozen=True, slots=True)
class Load:
    """A part of the requests, with the calculation of its number per hour."""

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
        for line in plan(one_shot.name, target, config.polling, size, config.documents.interval):
            print_output(line)
        for resource, error in failures.items():
            print_output(f"  not counted: {resource}: {error}")
    return 0 if complete else 1


def plan(
    name: str, target: TargetConfig, polling: PollingConfig, size: Size, documents_interval: float = 0.0
) -> Iterator[str]:
    """Yield the plan of one target, line by line, with its calculation."""
    per_source = series_per_source(counts_documents=documents_interval > 0)
    series = size.sources * per_source + size.indexes * series_per_container() + OWN_SERIES
    yield f"target {name}: {size.sources} data sources in {size.indexes} indexes of {size.applications} applications"
    yield (
        f"  series: {size.sources} data sources x {per_source} + {size.indexes} indexes x "
        f"{series_per_container()} + {OWN_SERIES} about the exporter = about {series:,}"
    )
    parts = list(_loads(target, polling, size))
    limit = polling.requests_per_second * HOUR
    before_documents = sum(part.per_hour for part in parts)
    documents = list(_document_load(size, documents_interval, limit - before_documents))
    total = before_documents + sum(part.per_hour for part in documents)
    yield "  requests per hour:"
    for part in (*parts, *documents):
        yield f"    {part.name:<16}{part.calculation:<58}{part.per_hour:>9,.0f}"
    yield f"    {'total':<74}{total:>9,.0f}"
    yield f"  rate limit: {polling.requests_per_second:g} per second = {limit:,.0f} per hour, {total / limit:.1%} used"
    yield from _advice(polling, size, parts, before_documents / limit)
    yield from _document_advice(size, documents_interval, limit - before_documents)


def _loads(target: TargetConfig, polling: PollingConfig, size: Size) -> Iterator[Load]:
    """Yield the parts of a target's requests."""
    idle_polls, syncing_polls = HOUR / polling.idle_interval, HOUR / polling.interval
    every = format_duration(polling.idle_interval)
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
    runs = HOUR / (target.discovery.interval if target.discovery else NAMED_ONLY_INTERVAL)
    listings = (1 + size.applications if target.discovery else 0) + size.indexes + size.pages
    yield Load(
        "discovery",
        f"{runs:g} runs x {listings} (listings, and {size.indexes} x GetIndex)",
        runs * listings,
    )
    if size.tagged:
        at_most = polling.requests_per_second * HOUR * REQUEST_SHARE
        tags = min(runs * size.tagged, at_most)
        yield Load("tags", f"{size.tagged} x {runs:g}, at most a tenth of the rate limit", tags)


def _document_pages(size: Size) -> int:
    """Return the pages of all documents, at most: the last page of each data source may have only one document."""
    return size.sources + size.documents // DOCUMENT_PAGE_SIZE


def _document_load(size: Size, interval: float, room: float) -> Iterator[Load]:
    """Yield the requests of the document counts, which are at most those that all others leave: `room` per hour."""
    if interval > 0:
        pages, runs = _document_pages(size), HOUR / interval
        calculation = f"at most {pages:,} pages x {runs:.3g} (every {format_duration(interval)})"
        yield Load("documents", calculation, max(0.0, min(pages * runs, room)))


def _document_advice(size: Size, interval: float, room: float) -> Iterator[str]:
    pages = _document_pages(size)
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
    """Count the named data sources, and crawl the target for others; return errors by what they affect."""
    filters = SourceFilters(target.config.discovery) if target.config.discovery else None
    named = {
        SourceId(source.application_id, source.index_id, source.data_source_id) for source in target.config.data_sources
    }
    indexes = {source.container for source in named}
    applications = {source.application_id for source in named}
    pages, documents, wanted = len(indexes), 0, set(named)
    tagged = len(named) if tag_keys.are_needed_of_all else 0
    failures = DiscoveryFailures(target.name)
    if filters or counts_documents:
        pages = 0
        with failures.isolate_run():
            for found in Crawler(target.provider, filters, tuple(named), failures).crawl():
                if isinstance(found, Applications):
                    applications |= set(found.selected)
                elif isinstance(found, ContainerContents):
                    indexes.add(found.id)
                    pages += found.listing.pages if found.listing else 1
                    documents += (found.facts.documents or 0) if found.facts and counts_documents else 0
                    if filters:
                        matches = dict(_match(filters, found))
                        wanted |= {source for source, matched in matches.items() if matched is not False}
                        discovered = [matched for source, matched in matches.items() if source not in named]
                        tagged += sum(_needs_tags(matched, tag_keys) for matched in discovered)
    pages = max(pages, ceil(len(wanted) / PAGE_SIZE))
    return Size(len(wanted), len(applications), len(indexes), pages, tagged, documents), dict(failures.failed)


def _needs_tags(matched: bool | None, tag_keys: TagKeys) -> bool:  # noqa: FBT001 (the result of a filter)
    """Return whether the tags of a data source are requested: a filter depends on them, or they are used anyway."""
    return matched is None or (matched and tag_keys.are_needed_of_all)


def _match(filters: SourceFilters, contents: ContainerContents) -> Iterator[tuple[SourceId, bool | None]]:
    """Yield the data sources of an index and whether the filters match; None if that depends on tags."""
    for identifier, listed in (contents.listing.items if contents.listing else {}).items():
        source = SourceId(contents.id.application_id, contents.id.index_id, identifier)
        yield source, filters.match(Candidate(contents.application, contents.name, listed.name, listed.type))
