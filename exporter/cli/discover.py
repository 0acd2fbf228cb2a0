"""`discover`: print a configuration that names every data source that the credentials can see."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tqdm import tqdm

from exporter.cli.config_files import read
from exporter.cli.oneshot import Asked
from exporter.config import DiscoveryConfig, FoundSource, FoundTarget, write
from exporter.discovery.crawler import Stock, Walk
from exporter.discovery.failures import Troubles
from exporter.discovery.filters import Rules
from exporter.target.context import Access

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator

    from exporter.errors import ProviderError


@dataclass(slots=True)
class _Look:
    """A look through one target: what is found there, and what could not be looked into."""

    target: Asked
    sources: list[FoundSource] = field(default_factory=list)
    troubles: dict[str, ProviderError] = field(default_factory=dict)

    def take(self, progress: Callable[[int], object]) -> None:
        """Look through all of it."""
        troubles = Troubles(self.target.name, Access(self.target.name))
        with troubles.minding_all():
            for sight in Walk(self.target.provider, Rules(DiscoveryConfig()), (), troubles).go():
                if isinstance(sight, Stock):
                    found = list(_sources(sight))
                    self.sources += found
                    progress(len(found))
        self.troubles = troubles.failed

    def found(self, seen: set[tuple[str, str, str]]) -> FoundTarget:
        """Give what to write down: nothing that an earlier target has already."""
        remarks = [f"could not be looked into: {name}: {error}" for name, error in self.troubles.items()]
        fresh = [source for source in self.sources if source.ids not in seen]
        if len(fresh) < len(self.sources):
            remarks.append(f"{len(self.sources) - len(fresh)} data sources are seen here too, and named above")
        seen |= {source.ids for source in fresh}
        return FoundTarget(self.target.config, self.target.region, fresh, remarks)


def run(arguments: Namespace) -> int:
    """Print what is found; gives 1 where a target could not be looked into at all."""
    loaded = read(arguments)
    looks = [_Look(Asked(target, loaded.config.polling)) for target in loaded.config.targets]
    with tqdm(desc="data sources found", unit="", disable=None, file=sys.stderr) as bar:
        for look in looks:
            look.take(bar.update)
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    heading = [
        f"Every data source that these credentials could see at {when}, written by qbusiness-exporter discover from",
        f"{loaded.file}; filters of discovery were not applied. Sections other than targets keep their defaults here.",
        "Delete what is not to be watched; leave data_sources out and the exporter finds new ones by itself.",
    ]
    seen: set[tuple[str, str, str]] = set()
    print(write([look.found(seen) for look in looks], heading), end="")  # noqa: T201 (the command's output)
    return 0 if all(look.sources or not look.troubles for look in looks) else 1


def _sources(stock: Stock) -> Iterator[FoundSource]:
    for identifier, listed in (stock.listing.items if stock.listing else {}).items():
        ids = (stock.id.application_id, stock.id.index_id, identifier)
        yield FoundSource(ids, stock.application, stock.name, listed.name, listed.type, listed.status)
