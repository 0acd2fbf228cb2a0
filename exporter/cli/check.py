"""`check`: report every problem of the configuration without starting. `--probe` also tries each permission."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exporter.cli import logs
from exporter.cli.config_files import read
from exporter.cli.output import print_output
from exporter.cli.probe import probe
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: Namespace) -> int:
    """Print the problems of the configuration on stderr, or a summary of it on stdout."""
    try:
        loaded = read(arguments)
    except ConfigError as error:
        if arguments.log_format == logs.JSON:
            raise  # stderr holds events only, and the caller logs the problems
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201 (no log event: an editor jumps to file:line:column)
        return 1
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
