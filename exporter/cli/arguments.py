"""Commands and flags, spelled as Prometheus spells them."""

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
    """What a command does, and the function that does it."""

    run: Callable[[argparse.Namespace], int]
    help: str


COMMANDS = {
    "serve": Command(serve.run, "poll and serve metrics until SIGTERM or SIGINT (the default)"),
    "demo": Command(demo.run, "the same against a simulated Amazon Q Business: no AWS account, no configuration"),
    "check": Command(check.run, "read the configuration and report every problem with file:line:column"),
    "discover": Command(discover.run, "print a configuration (YAML) that names every data source in sight"),
    "export": Command(export.run, "poll everything once and print the metrics, for cron and the textfile collector"),
    "backfill": Command(backfill.run, "write past sync jobs as OpenMetrics, for promtool tsdb create-blocks-from"),
    "policy": Command(policy.run, "print the least-privilege IAM policy for this configuration"),
    "plan": Command(plan.run, "print what this configuration will cost: sources, series, API calls an hour"),
}


FLAGS_OF = {
    "probe": ("check",),
    "output": ("export", "backfill"),
    "since": ("backfill",),
    "step": ("backfill",),
    "label": ("backfill",),
    "web.config.file": ("serve", "demo", "check"),
}
"""The flags that do not go with every command."""

DEFAULT_STEP = 300.0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line; exits 2, as argparse does, when it cannot be understood."""
    parser = _parser()
    # The command is picked out afterwards: argparse would take the value of a misspelt flag for it.
    arguments, rest = parser.parse_known_args(argv)
    if any(word.startswith("-") for word in rest):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    command = rest[0] if rest else "serve"
    if command not in COMMANDS or len(rest) > 1:
        parser.error(f"no such command: {' '.join(rest)} (choose from {', '.join(COMMANDS)})")
    for flag, its_commands in FLAGS_OF.items():
        if getattr(arguments, flag.replace(".", "_")) and command not in its_commands:
            parser.error(f"--{flag} goes with {' and '.join(its_commands)}, not with {command}")
    arguments.command = COMMANDS[command].run
    arguments.step = arguments.step or DEFAULT_STEP
    arguments.listen_address = arguments.listen_address or [DEFAULT_ADDRESS]
    return arguments


def _duration(text: str) -> float:
    """Read a duration of at least a second."""
    try:
        seconds = config.parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{text} is too short: a second is the least")
    return seconds


def _label(text: str) -> tuple[str, str]:
    """Read a label that our own series do not have."""
    name, separator, value = text.partition("=")
    if not separator or not re.fullmatch(config.LABEL_NAME, name) or name.startswith("__"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a label: write it as NAME=VALUE, such as job=qbusiness")
    if name in {*SOURCE_LABELS, *(label for family in FAMILIES for label in family.labels), "le"}:
        raise argparse.ArgumentTypeError(f"{name} is a label that the metrics have themselves")
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
        help=f"configuration (default: {DEFAULT_FILE} where there is one, else the SDK's own region and credentials)",
    )
    parser.add_argument(
        "--probe",
        action="store_true",
        help="with check: call each permission once per target and say which are missing",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="with export and backfill: write to a file, which is there whole or not at all (default: stdout)",
    )
    parser.add_argument(
        "--since",
        type=_duration,
        metavar="DURATION",
        help="with backfill: how far to go back, such as 90d (default: as far as AWS remembers)",
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
        help=f"address to serve on; repeat for several (default: {DEFAULT_ADDRESS})",
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
        type=lambda text: Path(text) if text else None,  # nothing, as a script's empty variable gives, is no file
        metavar="FILE",
        help="TLS, passwords and headers, as Prometheus's exporter-toolkit has them (default: none)",
    )
    parser.add_argument(
        "--log.level",
        dest="log_level",
        choices=logs.LEVELS,
        default="info",
        metavar="LEVEL",
        help=f"least severity to log: {', '.join(logs.LEVELS)} (default: %(default)s)",
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
