"""What commands that poll once and write something have in common."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from exporter.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from exporter.app.exporter import Exporter

    Writer = Callable[[Iterable[bytes]], None]

LOOK_EVERY = 0.1  # seconds
READABLE = 0o644  # by whoever takes the file from here, who is somebody else


def wait_for_first_pass(exporter: Exporter) -> None:
    """Wait for the end of the first pass."""
    with tqdm(desc="polling", unit=" data sources", disable=None, leave=False) as progress:
        while exporter.first_pass_is_on():
            done, total = exporter.polled()
            progress.total = total
            progress.update(done - progress.n)
            time.sleep(LOOK_EVERY)


@contextmanager
def atomic_output(output: Path | None) -> Iterator[Writer]:
    """Lend a way to write to stdout, or to a file that is there whole or not at all."""
    if output is None:
        try:
            yield sys.stdout.buffer.writelines
            sys.stdout.buffer.flush()
        except BrokenPipeError as error:
            # Whoever read it has gone: what is left would fail once more when the interpreter closes it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise StartupError("stdout was closed before everything was written") from error
        return
    try:
        file = tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False)  # noqa: SIM115 (closed below)
    except OSError as error:
        raise StartupError(f"--output {output}: {error.strerror}") from error
    try:
        with file:
            yield file.writelines
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).chmod(READABLE)
        Path(file.name).replace(output)
    except OSError as error:
        raise StartupError(f"--output {output}: {error.strerror}") from error
    finally:
        with suppress(FileNotFoundError):
            Path(file.name).unlink()
