"""Commands and flags, spelled as Prometheus spells them."""

from __future__ import annotations

import argparse
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter import __version__, logs
from exporter.cli import check, demo, discover, export, plan, policy, serve
from exporter.cli.build import revision
from exporter.cli.configuration import DEFAULT_FILE

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
    "policy": Command(policy.run, "print the least-privilege IAM policy for this configuration"),
    "plan": Command(plan.run, "print what this configuration will cost: sources, series, API calls an hour"),
}


FLAGS_OF = {"probe": "check", "output": "export"}
"""The flags of one command alone."""


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
    for flag, its_command in FLAGS_OF.items():
        if getattr(arguments, flag) and command != its_command:
            parser.error(f"--{flag} goes with {its_command}, not with {command}")
    arguments.command = COMMANDS[command].run
    arguments.listen_address = arguments.listen_address or [DEFAULT_ADDRESS]
    return arguments


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
        help="with export: write to a file, which is there whole or not at all (default: stdout)",
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
