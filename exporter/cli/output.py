"""Output of the commands that end by themselves."""

from __future__ import annotations

import os
import sys
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from exporter.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Writer = Callable[[Iterable[bytes]], None]

FILE_MODE = 0o644  # another user reads the file, such as node_exporter, or the operator who runs promtool


class ClosedStdoutError(Exception):
    """The reader of stdout has closed it, as `head` does. This is not an error."""


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

    A file is replaced atomically at the end, so that no reader sees a part of it. After an error it is unchanged. Of a
    symbolic link, the file to which it leads is replaced. A pipe or a device, such as /dev/null, is opened and not
    replaced, because another program uses it under its path.
    """
    if output is None:
        yield _write_output
    elif output.exists() and not output.is_file():
        with _named_output(output), output.open("wb") as file:
            yield file.writelines
    else:
        with _named_output(output), _replaced(output.resolve()) as file:
            yield file.writelines


@contextmanager
def _named_output(output: Path) -> Iterator[None]:
    """Raise StartupError for an error of the output."""
    try:
        yield
    except OSError as error:
        raise StartupError(f"--output {output}: {error.strerror}") from error


@contextmanager
def _replaced(output: Path) -> Iterator[BinaryIO]:
    """Yield a temporary file that replaces another one at the end.

    Its name is known before it exists, because a signal may end the program as soon as it exists.
    """
    temporary = output.with_name(f".{output.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(FILE_MODE)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
