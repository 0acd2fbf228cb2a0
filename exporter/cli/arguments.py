"""Commands and flags, in the style of Prometheus."""

from __future__ import annotations

import argparse
import difflib
import platform
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.app.build_info import revision
from exporter.cli.completion import FLAGS_BY_SHELL, completion_script
from exporter.cli.flags import FLAGS
from exporter.cli.print_text import PrintText

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.cli.flags import Flag

PROGRAM = "qbusiness-exporter"
DEFAULT_COMMAND = "serve"
USAGE = "%(prog)s [COMMAND] [flags]"
DESCRIPTION = (
    "Prometheus exporter for the sync jobs of Amazon Q Business, Amazon Kendra and Amazon Bedrock knowledge bases."
)


@dataclass(frozen=True, slots=True)
class Command:
    """The help of a command, an example, and whether SIGHUP reloads the configuration."""

    help: str
    example: str
    reloads: bool = False
    words: tuple[str, ...] = ()
    """The arguments after the command. Those that the user chooses are in capitals."""


COMMANDS = {
    "serve": Command(
        "poll and serve metrics until SIGTERM or SIGINT (the default)",
        "serve --config.file=/etc/qbusiness-exporter/config.yaml --web.listen-address=127.0.0.1:10142",
        reloads=True,
    ),
    "demo": Command(
        "serve metrics of simulated services, without an AWS account or a configuration",
        "demo --web.listen-address=127.0.0.1:10142",
        reloads=True,
    ),
    "check": Command(
        "report every problem in the configuration with file:line:column, and what would stop serve on this host",
        "check --probe --config.file=config.yaml",
    ),
    "discover": Command(
        "print a configuration (YAML) with every data source that the credentials can list",
        "discover > discovered.yaml",
    ),
    "export": Command(
        "poll every data source once and print the metrics, for cron and the textfile collector",
        "export --output=/var/lib/node_exporter/qbusiness.prom",
    ),
    "backfill": Command(
        "write the history of sync jobs as OpenMetrics, for promtool tsdb create-blocks-from",
        "backfill --since=90d --label=job=qbusiness --output=history.om",
    ),
    "policy": Command(
        "print the least-privilege IAM policy for this configuration",
        "policy > policy.json",
    ),
    "plan": Command(
        "print the cost of this configuration: data sources, series, requests per hour",
        "plan --config.file=config.yaml",
    ),
    "rules": Command(
        "print alerting and recording rules (YAML), for rule_files in Prometheus",
        "rules --label=team --disable=QBusinessSyncSlowerThanUsual > qbusiness-exporter.yaml",
    ),
    "documents": Command(
        "list the documents of one data source by status, with the errors of failed ones",
        "documents --data-source=11111111-2222-3333-4444-555555555555 --status=FAILED --format=csv",
    ),
    "state": Command(
        "copy the state between a SQLite file and a PostgreSQL URL, so that counters continue",
        "state copy state.db postgresql://exporter@db.internal/exporter",
        words=("copy", "FROM", "TO"),
    ),
}
"""The commands. The function `run` of the module of the same name runs one, and returns the exit code."""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; exit with 2, as argparse does, on wrong usage."""
    command, words = _find_command(argv)
    arguments, _ = _parser(command).parse_known_args(argv)
    arguments.words = words
    arguments.command = command or DEFAULT_COMMAND
    arguments.reloads = COMMANDS[arguments.command].reloads
    return arguments


def _find_command(argv: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return the command in a command line, and its arguments; exit with 2 if one is not valid.

    The command may come after flags, because the entry point of the image names the configuration file first. It is not
    a positional argument, because argparse would report the value of a misspelled flag as a wrong command.
    """
    parser = argparse.ArgumentParser(PROGRAM, USAGE, allow_abbrev=False, add_help=False)
    for option in ("-h", "--help", "--version", *(f"--{name}" for name in FLAGS_BY_SHELL.values())):
        parser.add_argument(option, action="store_true")
    for name, action in {flag.name: flag.action for flag in FLAGS}.items():
        parser.add_argument(f"--{name}", dest=name, action=action)
    given, rest = parser.parse_known_args(argv)
    if any(word.startswith("-") for word in rest):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    command, words = (rest or [DEFAULT_COMMAND])[0], rest[1:]
    if command not in COMMANDS or (words and not COMMANDS[command].words):
        parser.error(_no_such_command(rest))
    _check_words(parser, command, words, is_help=given.h or given.help)
    for name in (name for name, value in vars(given).items() if value not in {None, False}):
        commands = [each for each in COMMANDS if _flags(each, name)]
        if commands and command not in commands:
            parser.error(f"--{name} is a flag of {' and '.join(commands)}, not of {command}")
    return (rest[0] if rest else None), words


def _check_words(parser: argparse.ArgumentParser, command: str, words: Sequence[str], *, is_help: bool) -> None:
    """Exit with 2 if the arguments of a command are not those that it declares."""
    expected = COMMANDS[command].words
    fixed = [(word, found) for word, found in zip(expected, words, strict=False) if not word.isupper()]
    if not is_help and (len(words) != len(expected) or any(word != found for word, found in fixed)):
        parser.error(f"expected: {PROGRAM} {command} {' '.join(expected)}")


def _no_such_command(words: Sequence[str]) -> str:
    close = difflib.get_close_matches(words[0], COMMANDS, 1) if len(words) == 1 else []
    advice = f"did you mean {close[0]}?" if close else f"choose from {', '.join(COMMANDS)}"
    return f"no such command: {' '.join(words)} ({advice})"


def _flags(command: str, name: str) -> list[Flag]:
    """Return the flags of a command with this name: one or none."""
    return [flag for flag in FLAGS if flag.name == name and flag.is_of(command)]


def _parser(command: str | None) -> argparse.ArgumentParser:
    """Return the parser of a command. Without a command, its help describes the commands too."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"%(prog)s {' '.join([command, *COMMANDS[command].words])} [flags]" if command else USAGE,
        description=f"{PROGRAM} {command}: {COMMANDS[command].help}." if command else DESCRIPTION,
        epilog=f"example:\n  {PROGRAM} {COMMANDS[command].example}" if command else _commands_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action=PrintText, help="show this help, and exit", text=parser.format_help)
    version = f"{PROGRAM}, version {__version__} (revision {revision()}, python {platform.python_version()})"
    parser.add_argument("--version", action=PrintText, help="show the version, and exit", text=lambda: version)
    commands = {name: (each.help, each.words) for name, each in COMMANDS.items()}
    for shell, name in FLAGS_BY_SHELL.items():
        script = partial(completion_script, PROGRAM, commands, DEFAULT_COMMAND, FLAGS, shell)
        text = argparse.SUPPRESS if command else f"print a completion script for {shell}, and exit"
        parser.add_argument(f"--{name}", action=PrintText, help=text, text=script)
    parser.set_defaults(**{flag.attribute: None for flag in FLAGS})  # commands share functions that read a flag
    for flag in FLAGS:
        if flag.is_of(command or DEFAULT_COMMAND):
            flag.add_to(parser)
    return parser


def _commands_help() -> str:
    commands = "\n".join(f"  {name:<10}{each.help}" for name, each in COMMANDS.items())
    flags = f"The flags above belong to {DEFAULT_COMMAND}. For the flags of a command, run COMMAND -h"
    return f"commands:\n{commands}\n\n{flags}"
