"""Stdout and stderr of the process, even if the caller has closed them."""

from __future__ import annotations

import os
import sys
from io import RawIOBase
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from io import BufferedIOBase, TextIOWrapper
    from typing import TextIO

STDERR = 2  # the last of the three standard descriptors


def occupy_closed_streams() -> None:
    """Occupy the standard descriptors that the caller has closed, and open sys.stdout and sys.stderr on them.

    Otherwise the next file that the program opens, for example the state file, gets such a number, and output of a
    library to stderr would overwrite the file. The descriptors are opened for reading, so writing fails as it does for
    a closed one: lost output is an error, and lost log lines are counted.
    """
    while (descriptor := os.open(os.devnull, os.O_RDONLY)) <= STDERR:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 (its only form; credential helpers need all three too)
    os.close(descriptor)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def prepare_stdout() -> None:
    """Write UTF-8 to sys.stdout in any locale, and open it with a buffer if PYTHONUNBUFFERED has removed that.

    YAML, JSON and metrics are UTF-8 by definition, and the names in AWS may have characters that a locale lacks.

    Without a buffer, Python ignores that the kernel has written only a part of the output. Example: a disk becomes full
    during `export > metrics.prom`. The file would end in the middle of a line, and the command would report success.
    """
    if isinstance(sys.stdout.buffer, RawIOBase):
        sys.stdout = os.fdopen(sys.stdout.fileno(), "w", closefd=False)
    cast("TextIOWrapper", sys.stdout).reconfigure(encoding="utf-8", errors="backslashreplace")


def unbuffered(stream: TextIO) -> RawIOBase | BufferedIOBase:
    """Return the raw stream below a text stream, without its buffer if there is one."""
    return cast("RawIOBase | BufferedIOBase", getattr(stream.buffer, "raw", stream.buffer))
