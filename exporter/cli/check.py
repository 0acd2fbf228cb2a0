"""`check`: report every problem of the configuration without starting. `--probe` also tries each permission."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.config_files import read
from exporter.cli.probe import probe

if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: Namespace) -> int:
    """Print a summary of the configuration. The caller prints its problems."""
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
    for line in (line for each in probes for line in each.lines()):
        print(line)  # noqa: T201 (the same)
    return 0 if all(each.has_passed for each in probes) else 1
