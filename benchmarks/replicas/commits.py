"""The CPU time of the commit of a poll, in a state file and in a real PostgreSQL server."""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.domain.replicas import Replica
from exporter.domain.target_identity import ConfiguredTarget
from exporter.runtime import System
from exporter.store import Store
from exporter.store.postgresql import DatabaseSettings, Session, SharedState, Watchdog
from tests.support.harness import eventually
from tests.support.postgresql import PostgreSqlServer
from tests.support.state_files import make_history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.store.table_store import TableStore

COMMITS, REPETITIONS = 100, 7
TARGET = ConfiguredTarget("main", "qbusiness", "us-east-1", "111122223333")


@contextmanager
def both_stores() -> Iterator[tuple[TableStore, TableStore]]:
    """Yield the state in a file, and in a database."""
    with tempfile.TemporaryDirectory() as folder, PostgreSqlServer({"fsync": "on"}) as server:
        file = Store(str(Path(folder) / "state.db"), _fail)
        host = System()
        session = Session(DatabaseSettings(server.create_database()), Watchdog(host), lambda _: "")
        state = SharedState(session, Replica("r", "r"), host, on_write_failure=_fail)
        state.configure([TARGET])
        state.start(lambda: None)
        eventually(lambda: state.is_up and state.owned([TARGET]))
        yield file, state.owned([TARGET])["main"]
        state.close()
        file.close()


def compare_commits() -> tuple[float, float, float]:
    """Return the CPU milliseconds of a commit in a file and in a database, and the median of their ratios."""
    with both_stores() as stores:
        pairs = [[_cpu_milliseconds(store) for store in stores] for _ in range(REPETITIONS)]
    files, databases = zip(*pairs, strict=True)
    ratio = statistics.median(database / file for file, database in pairs)
    return statistics.median(files), statistics.median(databases), ratio


def _cpu_milliseconds(store: TableStore) -> float:
    """Return the CPU time of this process for a commit with one more ended job than the previous one."""
    histories = [make_history(20 + number % 2) for number in range(COMMITS)]
    began = time.process_time()
    for history in histories:
        store.commit({"source": history})
    return (time.process_time() - began) / COMMITS * 1000


def _fail() -> None:
    raise AssertionError("a write has failed")
