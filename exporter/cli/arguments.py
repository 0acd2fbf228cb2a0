"""Commands and flags, in the style of Prometheus."""

from __future__ import annotations

import argparse
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter import __version__, config
from exporter.app.build_info import revision
from exporter.cli import backfill, check, demo, discover, export, logs, plan, policy, serve
from exporter.cli.config_files import DEFAULT_FILE
from exporter.metrics import FAMILIES, SOURCE_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


DEFAULT_ADDRESS = ":10142"


@dataclass(frozen=True, slots=True)
class Command:
    """A function that runs a command and returns the exit code, the help text, and whether SIGHUP reloads."""

    run: Callable[[argparse.Namespace], int]
    help: str
    reloads: bool = False


COMMANDS = {
    "serve": Command(serve.run, "poll and serve metrics until SIGTERM or SIGINT (the default)", reloads=True),
    "demo": Command(
        demo.run, "serve metrics of a simulated Amazon Q Business, without AWS account and configuration", reloads=True
    ),
    "check": Command(check.run, "read the configuration and report every problem with file:line:column"),
    "discover": Command(
        discover.run, "print a configuration (YAML) with every data source that the credentials can list"
    ),
    "export": Command(
        export.run, "poll every data source once and print the metrics, for cron and the textfile collector"
    ),
    "backfill": Command(
        backfill.run, "write the history of sync jobs as OpenMetrics, for promtool tsdb create-blocks-from"
    ),
    "policy": Command(policy.run, "print the least-privilege IAM policy for this configuration"),
    "plan": Command(plan.run, "print the cost of this configuration: data sources, series, requests per hour"),
}


COMMANDS_OF_FLAG = {
    "probe": ("check",),
    "output": ("export", "backfill"),
    "since": ("backfill",),
    "step": ("backfill",),
    "label": ("backfill",),
    "web.config.file": ("serve", "demo", "check"),
}
"""The flags that only some commands have, and these commands."""

DEFAULT_STEP = 300.0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; exit with 2, as argparse does, on wrong usage."""
    parser = _parser()
    # The command is no positional argument: argparse would report the value of a misspelled flag as a wrong command.
    arguments, rest = parser.parse_known_args(argv)
    if any(word.startswith("-") for word in rest):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    command = rest[0] if rest else "serve"
    if command not in COMMANDS or len(rest) > 1:
        parser.error(f"no such command: {' '.join(rest)} (choose from {', '.join(COMMANDS)})")
    for flag, commands in COMMANDS_OF_FLAG.items():
        if getattr(arguments, flag.replace(".", "_")) and command not in commands:
            parser.error(f"--{flag} is a flag of {' and '.join(commands)}, not of {command}")
    arguments.command, arguments.reloads = COMMANDS[command].run, COMMANDS[command].reloads
    arguments.step = arguments.step or DEFAULT_STEP
    arguments.listen_address = arguments.listen_address or [DEFAULT_ADDRESS]
    return arguments


def _duration(text: str) -> float:
    """Parse a duration of at least one second."""
    try:
        seconds = config.parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{text} is too short: the minimum is 1s")
    return seconds


def _label(text: str) -> tuple[str, str]:
    """Parse NAME=VALUE; the metrics must not have a label of this name."""
    name, separator, value = text.partition("=")
    if not separator or not re.fullmatch(config.LABEL_NAME, name) or name.startswith("__"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a label: write NAME=VALUE, such as job=qbusiness")
    if name in {*SOURCE_LABELS, *(label for family in FAMILIES for label in family.labels), "le"}:
        raise argparse.ArgumentTypeError(f"{name} is already a label of the metrics")
    return name, value


def _parser() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {name:<10}{command.help}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="qbusiness-exporter",
        usage="%(prog)s [COMMAND] [flags]",
        description="Prometheus exporter for Amazon Q Business data source sync jobs.",
        epilog=f"commands:\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    version = f"qbusiness-exporter, version {__version__} (revision {revision()}, python {platform.python_version()})"
    parser.add_argument("--version", action="version", version=version)
    parser.add_argument(
        "--config.file",
        dest="config_file",
        type=Path,
        metavar="FILE",
        help=f"configuration (default: {DEFAULT_FILE} if it exists, otherwise region and credentials of the AWS SDK)",
    )
    parser.add_argument(
        "--probe",
        action="store_true",
        help="with check: try each permission once per target, and print those that are missing",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="with export and backfill: file to write to, replaced atomically (default: stdout)",
    )
    parser.add_argument(
        "--since",
        type=_duration,
        metavar="DURATION",
        help="with backfill: how far back to start, such as 90d (default: the oldest sync job that AWS lists)",
    )
    parser.add_argument(
        "--step",
        type=_duration,
        metavar="DURATION",
        help=f"with backfill: time between two samples (default: {config.format_duration(DEFAULT_STEP)})",
    )
    parser.add_argument(
        "--label",
        type=_label,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="with backfill: a label that Prometheus adds when it scrapes, such as job=qbusiness; repeat for several",
    )
    parser.add_argument(
        "--web.listen-address",
        dest="listen_address",
        action="append",
        metavar="ADDRESS",
        help=f"address to listen on; repeat for several (default: {DEFAULT_ADDRESS})",
    )
    parser.add_argument(
        "--web.telemetry-path",
        dest="telemetry_path",
        default="/metrics",
        metavar="PATH",
        help="path of the metrics (default: %(default)s)",
    )
    parser.add_argument(
        "--web.config.file",
        dest="web_config_file",
        type=lambda text: Path(text) if text else None,  # an empty variable of a script means no file
        metavar="FILE",
        help="TLS, basic authentication and headers, in the format of Prometheus exporter-toolkit (default: none)",
    )
    parser.add_argument(
        "--log.level",
        dest="log_level",
        choices=logs.LEVELS,
        default="info",
        metavar="LEVEL",
        help=f"lowest level to log: {', '.join(logs.LEVELS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--log.format",
        dest="log_format",
        choices=logs.FORMATS,
        default="logfmt",
        metavar="FORMAT",
        help=f"format of log lines: {' or '.join(logs.FORMATS)} (default: %(default)s)",
    )
    return parser
