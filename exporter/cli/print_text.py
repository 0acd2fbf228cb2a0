"""Flags that print a text and end the program: the help, the version, completion scripts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from exporter.cli.output import print_output
from exporter.cli.signals import unblock_early_signals

if TYPE_CHECKING:
    from collections.abc import Callable


class PrintText(argparse.Action):
    """Prints a text like the output of a command, because argparse would ignore errors of stdout."""

    def __init__(self, option_strings: list[str], dest: str, help: str, text: Callable[[], str]) -> None:  # noqa: A002 (the interface of argparse)
        super().__init__(option_strings, dest, nargs=0, help=help)
        self._text = text

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the text. A reader of stdout that does not read must not prevent a stop."""
        unblock_early_signals(is_service=False)
        print_output(self._text().rstrip("\n"))
        parser.exit()
