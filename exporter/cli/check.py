"""`check`: read the configuration, report every problem, start nothing; with `--probe`, try each permission too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.config_files import read
from exporter.cli.probe import probe

if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: Namespace) -> int:
    """Print what the configuration holds; the caller prints what is wrong with it."""
    loaded = read(arguments)
    for warning in loaded.warnings:
        print(f"{warning} (warning)")  # noqa: T201 (the command's output)
    sources = sum(len(target.data_sources) for target in loaded.config.targets)
    print(f"{loaded.file}: no problems; targets: {len(loaded.config.targets)}, data sources named: {sources}")  # noqa: T201 (the same)
    if loaded.web_config:
        print(f"{arguments.web_config_file}: no problems; {loaded.web_config.summary()}")  # noqa: T201 (the same)
    if not arguments.probe:
        return 0
    probes = probe(loaded.config)
    for line in (line for one in probes for line in one.lines()):
        print(line)  # noqa: T201 (the same)
    return 0 if all(one.is_fine for one in probes) else 1
