"""A process that writes a state file, for tests that crash it at any system call.

Run as `python -m tests.support.faults.crash SCENARIO PATH`. After each commit it prints the number of counted jobs to
stdout: from then on, an exporter would expose them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import structlog

from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData, SourceHistory
from exporter.store import Store
from tests.support.builders import NOON, POLICY, make_job

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "application/index/source"
COMMITS = 6
# The schema of the first release.
FIRST_SCHEMA = """
    CREATE TABLE source (key TEXT PRIMARY KEY, totals TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE job (
        source TEXT NOT NULL, execution_id TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (source, execution_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE name (key TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 1; PRAGMA application_id = 1363302469;
"""


def history(jobs: int) -> SourceHistory:
    """Return a history with this number of counted jobs."""
    first = fold(None, PollData((), NOON, NOON), POLICY)
    ended = tuple(make_job(f"j{number}", started=NOON + 60 + number, added=1) for number in range(jobs))
    return fold(first, PollData(ended, NOON + 3600, NOON + 3600), POLICY)


def counted(store: Store) -> int:
    """Return the number of jobs that a state has counted."""
    found = store.history(KEY)
    return sum(found.completed.values()) if found else 0


def _print_exposed(count: int) -> None:
    sys.stdout.write(f"{count}\n")
    sys.stdout.flush()


def _open(path: str) -> Store:
    return Store(path, lambda: sys.exit("a write failed"))


def commit(path: str) -> None:
    """Open, commit one job after another, and close, which does a checkpoint."""
    store = _open(path)
    first = counted(store)
    for count in range(first + 1, first + COMMITS + 1):
        store.commit({KEY: history(count)})
        _print_exposed(count)
    store.close()


def checkpoint(path: str) -> None:
    """Commit one job after another, with checkpoints between the commits."""
    store = _open(path)
    store._database.connection.execute("PRAGMA wal_autocheckpoint = 4")  # noqa: SLF001 (a checkpoint would otherwise need a thousand commits)
    first = counted(store)
    for count in range(first + 1, first + COMMITS + 1):
        store.commit({KEY: history(count)})
        _print_exposed(count)
    store.close()


SCENARIOS: dict[str, Callable[[str], None]] = {"commit": commit, "checkpoint": checkpoint}

if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    SCENARIOS[sys.argv[1]](sys.argv[2])
