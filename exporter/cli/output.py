"""Progress and output of the commands that poll once: `export` and `backfill`."""

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

PROGRESS_INTERVAL = 0.1  # seconds
FILE_MODE = 0o644  # another user reads the file: node_exporter, or the operator who runs promtool


def wait_for_first_pass(exporter: Exporter) -> None:
    """Wait until every data source was polled, and print the progress if stderr is a terminal."""
    with tqdm(desc="polling", unit=" data sources", disable=None, leave=False) as progress:
        while exporter.first_pass_is_on():
            done, total = exporter.polled()
            progress.total = total
            progress.update(done - progress.n)
            time.sleep(PROGRESS_INTERVAL)


@contextmanager
def atomic_output(output: Path | None) -> Iterator[Writer]:
    """Yield a function that writes to stdout or to a file; raise StartupError if writing fails.

    A file is replaced atomically at the end, so that no reader finds a part of it. After an error it stays unchanged.
    """
    if output is None:
        try:
            yield sys.stdout.buffer.writelines
            sys.stdout.buffer.flush()
        except BrokenPipeError as error:
            # The reader has closed the pipe. Without this, closing stdout at exit would fail again.
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
        Path(file.name).chmod(FILE_MODE)
        Path(file.name).replace(output)
    except OSError as error:
        raise StartupError(f"--output {output}: {error.strerror}") from error
    finally:
        with suppress(FileNotFoundError):
            Path(file.name).unlink()
