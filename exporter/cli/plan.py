"""`plan`: what the configuration will cost, before anything is started."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from exporter.cli.config_files import read
from exporter.cli.oneshot import OneShotTarget
from exporter.config import format_duration
from exporter.discovery.crawler import Applications, Crawler, IndexContents
from exporter.discovery.failures import DiscoveryFailures
from exporter.discovery.filters import Candidate, SourceFilters
from exporter.domain.model import SourceId
from exporter.domain.units import HOUR
from exporter.metrics import series_of_index, series_of_source
from exporter.polling.lookback import FULL_REREAD_INTERVAL
from exporter.providers.registry import PAGE_SIZE
from exporter.target.context import CredentialStatus

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from exporter.config import PollingConfig, TargetConfig

DESCRIBED_EVERY = 900.0  # seconds, where nothing is discovered
SYNCING = 0.1  # of the time a data source is taken to be syncing, or due to
REREAD_REQUESTS = 2  # pages of a window of a day
OWN_SERIES = 130  # of the exporter itself, for a target
TIGHT = 0.7  # of the budget: beyond it a busy hour makes polls late


@dataclass(frozen=True, slots=True)
class Size:
    """What a target has, as far as it is watched."""

    sources: int
    applications: int
    indexes: int
    pages: int
    tagged: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """A part of the requests: what it is for, how it comes about, and how many an hour."""

    name: str
    arithmetic: str
    per_hour: float


def run(arguments: Namespace) -> int:
    """Print the plan; gives 1 where a target could not be looked through."""
    config = read(arguments).config
    complete = True
    for target in config.targets:
        asked = OneShotTarget(target, config.polling)
        size, failures = _measure(asked)
        complete &= not failures
        for line in plan(asked.name, target, config.polling, size):
            print(line)  # noqa: T201 (the command's output)
        for resource, error in failures.items():
            print(f"  not counted: {resource}: {error}")  # noqa: T201 (the same)
    return 0 if complete else 1


def plan(name: str, target: TargetConfig, polling: PollingConfig, size: Size) -> Iterator[str]:
    """Give the plan of one target, line by line, with its arithmetic."""
    series = size.sources * series_of_source() + size.indexes * series_of_index() + OWN_SERIES
    yield f"target {name}: {size.sources} data sources in {size.indexes} indexes of {size.applications} applications"
    yield (
        f"  series: {size.sources} x {series_of_source()} + {size.indexes} x {series_of_index()} + {OWN_SERIES} "
        f"of the exporter = about {series:,}"
    )
    parts = list(loads(target, polling, size))
    total, budget = sum(part.per_hour for part in parts), polling.requests_per_second * HOUR
    yield "  requests an hour:"
    for part in parts:
        yield f"    {part.name:<16}{part.arithmetic:<58}{part.per_hour:>9,.0f}"
    yield f"    {'in all':<74}{total:>9,.0f}"
    yield f"  budget: {polling.requests_per_second:g} a second = {budget:,.0f} an hour, of which {total / budget:.1%}"
    yield from _advice(polling, size, parts, total / budget)


def loads(target: TargetConfig, polling: PollingConfig, size: Size) -> Iterator[Load]:
    """Give the parts of a target's requests."""
    quiet, busy = HOUR / polling.idle_interval, HOUR / polling.interval
    every = format_duration(polling.idle_interval)
    yield Load("quiet polls", f"{size.sources} x {quiet:g} (every {every})", size.sources * quiet)
    more = max(0.0, busy - quiet)
    yield Load(
        "syncing or due",
        f"{size.sources} x {SYNCING:.0%} of the time (assumed) x {more:g} more",
        size.sources * SYNCING * more,
    )
    rereads = HOUR / FULL_REREAD_INTERVAL
    yield Load(
        "full rereads",
        f"{size.sources} x {rereads:.2f} (every {format_duration(FULL_REREAD_INTERVAL)}) x {REREAD_REQUESTS}",
        size.sources * rereads * REREAD_REQUESTS,
    )
    rounds = HOUR / (target.discovery.interval if target.discovery else DESCRIBED_EVERY)
    listings = (1 + size.applications if target.discovery else 0) + size.indexes + size.pages
    yield Load(
        "discovery",
        f"{rounds:g} rounds x {listings} (lists, and {size.indexes} indexes' figures)",
        rounds * listings,
    )
    if size.tagged:
        at_most = polling.requests_per_second * HOUR / 10
        tags = min(rounds * size.tagged, at_most)
        yield Load("tags", f"{size.tagged} x {rounds:g}, at most a tenth of the budget", tags)


def _advice(polling: PollingConfig, size: Size, parts: list[Load], share: float) -> Iterator[str]:
    if share <= TIGHT:
        return
    total = sum(part.per_hour for part in parts)
    others = total - parts[0].per_hour
    room = TIGHT * polling.requests_per_second * HOUR - others
    word = "cannot keep these intervals" if share > 1 else "has little room for a busy hour"
    yield f"  warning: the budget {word}. What would do:"
    yield f"    requests_per_second: {ceil(total / HOUR / TIGHT * 10) / 10:g}"
    if room > 0:
        yield f"    idle_interval: {format_duration(float(ceil(size.sources * HOUR / room / 60) * 60))}"


def _measure(target: OneShotTarget) -> tuple[Size, dict[str, object]]:
    """Count what is named, and look for the rest."""
    filters = SourceFilters(target.config.discovery) if target.config.discovery else None
    named = {
        SourceId(source.application_id, source.index_id, source.data_source_id) for source in target.config.data_sources
    }
    indexes = {source.index for source in named}
    applications = {source.application_id for source in named}
    pages, tagged, wanted = len(indexes), 0, set(named)
    failures = DiscoveryFailures(target.name, CredentialStatus(target.name))
    if filters:
        pages = 0
        with failures.isolate_run():
            for found in Crawler(target.provider, filters, tuple(named), failures).crawl():
                if isinstance(found, Applications):
                    applications |= set(found.wanted)
                elif isinstance(found, IndexContents):
                    indexes.add(found.id)
                    pages += found.listing.pages if found.listing else 1
                    verdicts = dict(_verdicts(filters, found))
                    wanted |= {source for source, verdict in verdicts.items() if verdict is not False}
                    tagged += sum(verdict is None or bool(filters.tag_labels) for verdict in verdicts.values())
    size = Size(len(wanted), len(applications), len(indexes), max(pages, ceil(len(wanted) / PAGE_SIZE)), tagged)
    return size, dict(failures.failed)


def _verdicts(filters: SourceFilters, contents: IndexContents) -> Iterator[tuple[SourceId, bool | None]]:
    for identifier, listed in (contents.listing.items if contents.listing else {}).items():
        source = SourceId(contents.id.application_id, contents.id.index_id, identifier)
        yield source, filters.match(Candidate(contents.application, contents.name, listed.name, listed.type))
