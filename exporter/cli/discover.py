"""`discover`: print a configuration that names every data source that the credentials can see."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tqdm import tqdm

from exporter.cli.config_files import read
from exporter.cli.oneshot import OneShotTarget
from exporter.config import DiscoveryConfig, FoundSource, FoundTarget, write
from exporter.discovery.crawler import Crawler, IndexContents
from exporter.discovery.failures import DiscoveryFailures
from exporter.discovery.filters import SourceFilters
from exporter.target.context import CredentialStatus

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator

    from exporter.errors import ProviderError


@dataclass(slots=True)
class _Look:
    """A look through one target: what is found there, and what could not be looked into."""

    target: OneShotTarget
    sources: list[FoundSource] = field(default_factory=list)
    failures: dict[str, ProviderError] = field(default_factory=dict)

    def take(self, progress: Callable[[int], object]) -> None:
        """Look through all of it."""
        failures = DiscoveryFailures(self.target.name, CredentialStatus(self.target.name))
        with failures.isolate_run():
            for sight in Crawler(self.target.provider, SourceFilters(DiscoveryConfig()), (), failures).crawl():
                if isinstance(sight, IndexContents):
                    found = list(_sources(sight))
                    self.sources += found
                    progress(len(found))
        self.failures = failures.failed

    def found(self, seen: set[tuple[str, str, str]]) -> FoundTarget:
        """Give what to write down: nothing that an earlier target has already."""
        remarks = [f"could not be looked into: {name}: {error}" for name, error in self.failures.items()]
        fresh = [source for source in self.sources if source.ids not in seen]
        if len(fresh) < len(self.sources):
            remarks.append(f"{len(self.sources) - len(fresh)} data sources are seen here too, and named above")
        seen |= {source.ids for source in fresh}
        return FoundTarget(self.target.config, self.target.region, fresh, remarks)


def run(arguments: Namespace) -> int:
    """Print what is found; gives 1 where a target could not be looked into at all."""
    loaded = read(arguments)
    looks = [_Look(OneShotTarget(target, loaded.config.polling)) for target in loaded.config.targets]
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
    return 0 if all(look.sources or not look.failures for look in looks) else 1


def _sources(contents: IndexContents) -> Iterator[FoundSource]:
    for identifier, listed in (contents.listing.items if contents.listing else {}).items():
        ids = (contents.id.application_id, contents.id.index_id, identifier)
        yield FoundSource(ids, contents.application, contents.name, listed.name, listed.type, listed.status)
