"""`discover`: print a configuration with every data source that the credentials can list."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
from tqdm import tqdm

from exporter.cli.config_files import read
from exporter.cli.flags import DEFAULT_FILE
from exporter.cli.oneshot import OneShotTarget
from exporter.cli.output import print_output
from exporter.config import FoundSource, FoundTarget, write
from exporter.discovery.crawler import ContainerContents
from exporter.discovery.failures import DiscoveryFailures
from exporter.errors import Reason, StartupError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from exporter.errors import ProviderError

logger = structlog.get_logger()


@dataclass(slots=True)
class _Search:
    """The search of one target: the data sources that were found, and the errors by the name of the resource."""

    target: OneShotTarget
    sources: list[FoundSource] = field(default_factory=list)
    failures: dict[str, ProviderError] = field(default_factory=dict)

    def run(self, progress: Callable[[int], object]) -> None:
        """List all data sources, and call `progress` with the number of newly found ones."""
        failures = DiscoveryFailures(self.target.name)
        with failures.isolate_run():
            for found in self.target.crawl_all(failures):
                if isinstance(found, ContainerContents):
                    sources = list(_sources(found, self._missing_types(found, failures)))
                    self.sources += sources
                    progress(len(sources))
        self.failures = failures.failed
        for error in self.failures.values():
            if error.reason is Reason.CREDENTIALS:
                logger.error("credentials failing", target=self.target.name, reason=str(error.reason), error=str(error))

    def _missing_types(self, contents: ContainerContents, failures: DiscoveryFailures) -> dict[str, str]:
        """Return the types that the listing of a container lacks, by the ids of its data sources.

        Each takes a request for the description. A failure ends the requests about this container, because its cause
        is rarely a single data source.
        """
        listed, types = contents.listing.items if contents.listing else {}, dict[str, str]()
        with failures.isolate(f"types of the data sources of {contents}"):
            for identifier in (identifier for identifier, source in listed.items() if not source.type):
                types[identifier] = self.target.provider.data_source(contents.id.source(identifier)).type
        return types

    def found(self, written: set[tuple[str, ...]]) -> FoundTarget:
        """Return the data sources that belong under this target, and add their ids to `written`.

        These are the data sources that the target names, and those whose ids are not in `written`.
        """
        remarks = [f"listing failed: {name}: {error}" for name, error in self.failures.items()]
        named = {source.path for source in self.target.config.data_sources}
        new = [source for source in self.sources if source.ids in named or source.ids not in written]
        if len(new) < len(self.sources):
            remarks.append(f"{len(self.sources) - len(new)} more data sources are listed under another target")
        written |= {source.ids for source in new}
        return FoundTarget(self.target.config, self.target.region, new, remarks)


def run(arguments: Namespace) -> int:
    """Print the data sources; return 1 if none of a target could be listed."""
    _check_stdout(arguments.config_file or DEFAULT_FILE)
    loaded = read(arguments)
    searches = [_Search(OneShotTarget(target, loaded.config.polling)) for target in loaded.config.targets]
    with tqdm(desc="data sources found", unit="", disable=None) as bar:
        for search in searches:
            search.run(bar.update)
    heading = [
        f"Written by qbusiness-exporter discover at {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        "Contains every data source that the credentials could list, regardless of the filters of discovery.",
        f"Targets are those of {loaded.file}. Other sections are not copied, so their defaults apply.",
        "Delete the data sources that the exporter must not watch. Without data_sources, it discovers new ones itself.",
    ]
    # A data source that a target names stays under this target, with its settings.
    written = {source.path for search in searches for source in search.target.config.data_sources}
    print_output(write([search.found(written) for search in searches], heading), end="")
    return 0 if all(search.sources or not search.failures for search in searches) else 1


def _check_stdout(file: Path) -> None:
    """Raise StartupError if stdout is the configuration file, which the shell has emptied, including its targets."""
    with suppress(OSError):
        if os.path.samestat(file.stat(), os.fstat(sys.stdout.fileno())):
            raise StartupError(
                f"discover reads {file} and must not write to it; write to another file, then replace it"
            )


def _sources(contents: ContainerContents, types: Mapping[str, str]) -> Iterator[FoundSource]:
    for identifier, listed in (contents.listing.items if contents.listing else {}).items():
        ids = (*contents.id.path, identifier)
        type_ = listed.type or types.get(identifier, "")
        yield FoundSource(ids, contents.names, listed.name, type_, listed.status)
