"""Output of the commands that end by themselves."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Writer = Callable[[Iterable[bytes]], None]

FILE_MODE = 0o644  # another user reads the file: node_exporter, or the operator who runs promtool


class ClosedStdoutError(Exception):
    """The reader of stdout has closed it, as `head` does. It needs no more output, so this is not reported."""


def print_output(text: str, end: str = "\n") -> None:
    """Print a text on stdout; raise StartupError or ClosedStdoutError if that fails."""
    with _translated_errors():
        print(text, end=end, flush=True)  # noqa: T201 (the output of a command)


def _write_output(pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        with _translated_errors():
            sys.stdout.buffer.write(piece)
    with _translated_errors():
        sys.stdout.flush()


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        # The buffer keeps what was not written. At exit, Python would write it again, and fail or block again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise ClosedStdoutError from error
        if isinstance(error, OSError):
            raise StartupError(f"stdout: {error.strerror}") from error
        raise


@contextmanager
def atomic_output(output: Path | None) -> Iterator[Writer]:
    """Yield a function that writes to stdout or to a file; raise StartupError if writing fails.

    A file is replaced atomically at the end, so that no reader finds a part of it. After an error it stays unchanged.
    A symbolic link stays one: the file that it leads to is replaced.
    """
    if output is None:
        yield _write_output
        return
    output = output.resolve()
    try:
        file = tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False)  # noqa: SIM115 (closed below)
    except OSError as error:
        raise StartupError(f"--output {output}: {error.strerror}") from error
    try:
        with file:
            yield file.writelines
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).chmod(FILE_MODE)
        Path(file.name).replace(output)
    except OSError as error:
        raise StartupError(f"--output {output}: {error.strerror}") from error
    finally:
        with suppress(FileNotFoundError):
            Path(file.name).unlink()
