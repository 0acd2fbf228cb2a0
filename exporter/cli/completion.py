"""Scripts for the completion of commands and flags in shells, printed by the same flags as in programs with kingpin.

Example: `eval "$(qbusiness-exporter --completion-script-bash)"`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.cli.flags import Flag

FLAGS_BY_SHELL = {"bash": "completion-script-bash", "zsh": "completion-script-zsh"}
_FILE = "FILE"  # the metavar of flags whose value is a path


def completion_script(program: str, commands: Mapping[str, str], flags: Iterable[Flag], shell: str) -> str:
    """Return the script of a shell for the commands, with their help, and their flags.

    shtab reads commands from subparsers. The program itself has none, because its command may come after flags.
    """
    import shtab  # noqa: PLC0415 (every start imports this module, and only this function needs shtab)

    parser = argparse.ArgumentParser(program, allow_abbrev=False)
    subparsers = parser.add_subparsers()
    flags = list(flags)
    for command, text in commands.items():
        subparser = subparsers.add_parser(command, help=text)
        for flag in (flag for flag in flags if flag.is_of(command)):
            action = flag.add_to(subparser)
            if action.metavar == _FILE:
                action.complete = shtab.FILE  # type: ignore[attr-defined] # the interface of shtab
    return shtab.complete(parser, shell)
