"""`check`: report every problem of the configuration without starting. `--probe` also tries each permission."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.config_files import read
from exporter.cli.output import print_output
from exporter.cli.probe import probe

if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: Namespace) -> int:
    """Print a summary of the configuration. The caller prints its problems."""
    loaded = read(arguments)
    for warning in loaded.warnings:
        print_output(f"{warning} (warning)")
    sources = sum(len(target.data_sources) for target in loaded.config.targets)
    print_output(f"{loaded.file}: no problems; targets: {len(loaded.config.targets)}, data sources named: {sources}")
    if loaded.web_config:
        print_output(f"{arguments.web_config_file}: no problems; {loaded.web_config.summary()}")
    if not arguments.probe:
        return 0
    probes = probe(loaded.config)
    for line in (line for each in probes for line in each.lines()):
        print_output(line)
    return 0 if all(each.has_passed for each in probes) else 1
