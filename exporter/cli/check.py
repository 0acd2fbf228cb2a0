"""`check`: report every problem that would keep `serve` from starting. `--probe` also tries each permission."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from exporter.cli import logs
from exporter.cli.config_files import read
from exporter.cli.output import print_output
from exporter.cli.probe import probe
from exporter.cli.start_checks import start_problems
from exporter.errors import ConfigError, StartupError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence


def run(arguments: Namespace) -> int:
    """Print the problems of the configuration on stderr, or a summary of it on stdout."""
    try:
        loaded = read(arguments)
    except ConfigError as error:
        if arguments.log_format == logs.JSON:
            raise  # stderr holds events only, and the caller logs the problems
        return _report(error.problems)
    if not arguments.syntax_only and (problems := list(start_problems(loaded.config, arguments))):
        if arguments.log_format == logs.JSON:
            raise StartupError("; ".join(problems))
        return _report(problems)
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


def _report(problems: Sequence[object]) -> int:
    """Print problems on stderr; return the exit code."""
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201 (no log event: an editor jumps to file:line:column)
    return 1
