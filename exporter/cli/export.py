"""`export`: one pass over every data source, and the page that comes of it; for cron and the textfile collector."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from tqdm import tqdm

from exporter.cli.assembly import Exporter
from exporter.cli.build import revision
from exporter.cli.configuration import read
from exporter.errors import StartupError
from exporter.telemetry import Telemetry

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator

    Writer = Callable[[Iterable[bytes]], None]

LOOK_EVERY = 0.1  # seconds
READABLE = 0o644  # by the collector too, which is somebody else

logger = structlog.get_logger()


def run(arguments: Namespace) -> int:
    """Poll everything once and print the page; gives 1 where nothing could be read."""
    loaded = read(arguments)
    for warning in loaded.warnings:
        logger.warning("unwise configuration", problem=str(warning))
    # The collector that reads the file has process and Python metrics of its own.
    exporter = Exporter(loaded.config, [], telemetry=Telemetry(revision(), of_process=False))
    with _written(arguments.output) as write:
        try:
            exporter.start_polling()
            _wait(exporter)
            write(exporter.page.render("", "")[0])
        finally:
            exporter.stop()
    if exporter.has_succeeded():
        return 0
    logger.error("nothing could be read: what is printed is from before, as far as there is anything")
    return 1


def _wait(exporter: Exporter) -> None:
    """Wait for the end of the first pass."""
    with tqdm(desc="polling", unit=" data sources", disable=None, leave=False) as progress:
        while exporter.first_pass_is_on():
            done, total = exporter.polled()
            progress.total = total
            progress.update(done - progress.n)
            time.sleep(LOOK_EVERY)


@contextmanager
def _written(output: Path | None) -> Iterator[Writer]:
    """Lend a way to write to stdout, or to a file that is there whole or not at all."""
    if output is None:
        yield sys.stdout.buffer.writelines
        sys.stdout.buffer.flush()
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
