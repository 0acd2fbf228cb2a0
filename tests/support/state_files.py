"""State files for the tests of the store."""

from __future__ import annotations

import resource
import signal
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData, SourceHistory
from exporter.store import Store
from tests.support.builders import NOON, POLICY, make_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "application/index/source"


def fail_test() -> None:
    """Fail the test: no write may fail in it."""
    pytest.fail("a write failed")


def open_store(path: str) -> Store:
    """Open a store in which no write may fail."""
    return Store(path, fail_test)


def open_copy(path: str) -> Store:
    """Open a copy of a state file in memory."""
    return Store(path, fail_test, as_copy=True)


def saved_history(path: str) -> SourceHistory | None:
    """Return the history of the source KEY in a state file, which another store may have open."""
    with closing(open_copy(path)) as copy:
        return copy.history(KEY)


def run_sql(path: str, sql: str) -> None:
    """Run SQL statements on a database file."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(sql)


@contextmanager
def full_disk() -> Iterator[None]:
    """Fail every write beyond the first 4096 bytes of a file, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def make_history(jobs: int = 3) -> SourceHistory:
    """Build a history with counted jobs, failures, documents and durations, and one job in progress."""
    failed = [make_job(f"j{n}", "FAILED", started=NOON + n, added=n) for n in range(jobs)]
    ended = [structs.replace(job, connector_error="SPE-5002", data_source_error_code="spe-5002") for job in failed]
    running = make_job("r", "SYNCING", started=NOON, lasted=None)
    return fold(fold(None, PollData((), NOON, NOON), POLICY), PollData((*ended, running), NOON, NOON), POLICY)


def contents_of(directory: Path) -> dict[str, bytes]:
    """Return the contents of every file in a directory, by name."""
    return {file.name: file.read_bytes() for file in directory.iterdir()}
