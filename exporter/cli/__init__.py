"""The command line: parse the arguments, set up logging, run one command."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from exporter.cli import logs
from exporter.cli.arguments import parse
from exporter.cli.output import ClosedStdoutError, flush_output
from exporter.errors import ConfigError, ExporterError

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNAL_EXIT_BASE = 128  # a program that a signal ends exits with this plus the number of the signal


def main(argv: Sequence[str]) -> int:
    """Run a command and return the exit code.

    0 is success or a graceful stop, 1 is an error, and wrong usage exits with 2. If the reader of stdout closes it, the
    code is that of a program that SIGPIPE ends.
    """
    try:
        return _run(argv)
    except ClosedStdoutError:
        return SIGNAL_EXIT_BASE + signal.SIGPIPE
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201 (no log event: an editor jumps to file:line:column)
    except ExporterError as error:
        print(f"qbusiness-exporter: {error}", file=sys.stderr)  # noqa: T201 (no log event: an error message for the terminal)
    return 1


def _run(argv: Sequence[str]) -> int:
    try:
        arguments = parse(argv)
    finally:
        flush_output()  # argparse prints help and version
    logs.configure(arguments.log_level, arguments.log_format)
    return int(arguments.command(arguments))


def run() -> None:
    """Run as the console script `qbusiness-exporter`."""
    # SIGTERM raises SystemExit, so that `finally` blocks remove the temporary file of --output and unlock the state.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(SIGNAL_EXIT_BASE + number))
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = SIGNAL_EXIT_BASE + signal.SIGINT
    sys.exit(code)
