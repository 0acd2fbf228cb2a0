"""The command line: parse the arguments, set up logging, run one command."""

from __future__ import annotations

import gc
import signal
import sys
from contextlib import redirect_stderr
from importlib import import_module
from typing import TYPE_CHECKING, TextIO, cast

import structlog

from exporter.cli import logs
from exporter.cli.arguments import parse
from exporter.cli.log_sink import LogSink
from exporter.cli.output import ClosedStdoutError
from exporter.cli.signals import SIGNAL_EXIT_BASE, STOP_SIGNALS, unblock_early_signals
from exporter.cli.standard_streams import occupy_closed_streams, prepare_stdout, unbuffered
from exporter.errors import ConfigError, ExporterError

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = structlog.get_logger()


def main(argv: Sequence[str]) -> int:
    """Run a command and return the exit code.

    0 is success or a graceful stop, 1 is an error, and wrong usage exits with 2. If the reader of stdout closes it, the
    code is that of a program that SIGPIPE has ended.
    """
    # Everything that the process writes to stderr goes through the sink, even progress bars and messages of libraries.
    with LogSink(unbuffered(sys.stderr)) as sink, redirect_stderr(cast("TextIO", sink)):
        logs.configure(sys.stderr)
        try:
            return _run(argv, sink)
        except ClosedStdoutError:
            return SIGNAL_EXIT_BASE + signal.SIGPIPE
        except ExporterError as error:
            _log_error(error)
        except Exception:
            logger.exception("command failed with an unexpected exception")
        return 1


def _run(argv: Sequence[str], sink: LogSink) -> int:
    arguments = parse(argv)
    unblock_early_signals(is_service=arguments.reloads)
    logs.configure(sys.stderr, arguments.log_level, arguments.log_format)
    arguments.log_sink = sink
    # The modules of the other commands are not imported, because that would delay the start.
    command = import_module(f"{__name__}.{arguments.command}")
    gc.freeze()
    gc.enable()  # disabled by `exporter.__main__`
    return int(command.run(arguments))


def _log_error(error: ExporterError) -> None:
    if isinstance(error, ConfigError):
        for problem in error.problems:
            logger.error("configuration not valid", problem=str(problem))
    else:
        logger.error("command failed", error=str(error))


def run() -> None:
    """Run as the console script `qbusiness-exporter`."""
    occupy_closed_streams()
    prepare_stdout()
    logs.log_uncaught_exceptions()
    # SIGTERM raises SystemExit, so that `finally` blocks remove the temporary file of --output and unlock the state.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(SIGNAL_EXIT_BASE + number))
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = SIGNAL_EXIT_BASE + signal.SIGINT
    # At its end, the interpreter restores the default handlers. A signal would then replace the exit code.
    for number in (*STOP_SIGNALS, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Otherwise the interpreter traverses all objects before the process ends, which takes seconds if there are many.
    gc.freeze()
    sys.exit(code)
