"""The command line: the one place where everything is built and handed down."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from exporter.cli import logs
from exporter.cli.arguments import parse
from exporter.errors import ConfigError, ExporterError

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNALLED = 128  # what a shell adds to the signal's number


def main(argv: Sequence[str]) -> int:
    """Run a command; gives 0 for success and a graceful stop, 1 for a problem at start, and exits 2 on wrong usage."""
    arguments = parse(argv)
    logs.configure(arguments.log_level, arguments.log_format)
    try:
        return int(arguments.command(arguments))
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201 (not a log event: an editor jumps to file:line:column)
    except ExporterError as error:
        print(f"qbusiness-exporter: {error}", file=sys.stderr)  # noqa: T201 (for the person who just started it)
    return 1


def run() -> None:
    """Run as the console script."""
    # As an exception, so that what is begun is cleared away: a temporary file beside --output, a state file's lock.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(SIGNALLED + number))
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = SIGNALLED + signal.SIGINT
    sys.exit(code)
