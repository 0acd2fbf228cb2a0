"""Scripts for the completion of commands and flags in shells, printed by the same flags as in programs with kingpin.

Example: `eval "$(qbusiness-exporter --completion-script-bash)"`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.cli.flags import Flag

FLAGS_BY_SHELL = {"bash": "completion-script-bash", "zsh": "completion-script-zsh"}
_FILE = "FILE"  # the metavar of flags whose value is a path


def completion_script(
    program: str, commands: Mapping[str, tuple[str, Sequence[str]]], default: str, flags: Iterable[Flag], shell: str
) -> str:
    """Return the script of a shell for the commands with their flags, and for the flags of the default command.

    `commands` has the help and the arguments of each command.

    shtab reads commands from subparsers. The program itself has none, because its command may come after flags.
    """
    import shtab  # noqa: PLC0415 (every start imports this module, and only this function needs shtab)

    parser = argparse.ArgumentParser(program, allow_abbrev=False)
    parser.add_argument("--version", action="store_true", help="show the version, and exit")
    subparsers = parser.add_subparsers()
    flags = list(flags)
    _add_flags(parser, default, flags, shtab.FILE)
    for name, (text, words) in commands.items():
        subparser = subparsers.add_parser(name, help=text)
        _add_flags(subparser, name, flags, shtab.FILE)
        for word in words:
            if word.isupper():
                subparser.add_argument(word).complete = shtab.FILE  # type: ignore[attr-defined] # the interface of shtab
            else:
                subparser.add_argument(word, choices=[word])
    return shtab.complete(parser, shell)


def _add_flags(parser: argparse.ArgumentParser, command: str, flags: Iterable[Flag], file: object) -> None:
    for flag in (flag for flag in flags if flag.is_of(command)):
        action = flag.add_to(parser)
        if action.metavar == _FILE:
            action.complete = file  # type: ignore[attr-defined] # the interface of shtab
