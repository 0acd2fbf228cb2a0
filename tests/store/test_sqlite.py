"""The state in SQLite: commits, crashes, full disks, and the removal of unwatched sources."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData
from exporter.domain.units import HOUR
from exporter.store import MEMORY, Store
from exporter.store.table_store import UNWATCHED_RETENTION
from tests.support.builders import NOON, POLICY, make_job
from tests.support.state_files import KEY, full_disk, make_history, open_store, saved_history

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]


@settings(max_examples=30)
@given(counts=st.lists(st.integers(0, 20), min_size=1, max_size=4))
def test_the_last_of_several_commits_is_in_the_file(
    counts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Jobs that a later commit no longer has are not in the file."""
    path = str(tmp_path_factory.mktemp("state") / "state.db")
    store = open_store(path)
    for count in counts:
        store.commit({KEY: make_history(count)})
    store.close()
    store = open_store(path)
    assert store.history(KEY) == make_history(counts[-1])
    store.close()


def test_a_batch_is_one_transaction_that_other_threads_do_not_wait_for(path: str) -> None:
    """Nothing is in the file before the end of a batch, unless another thread commits, which writes everything."""
    store = open_store(path)
    with closing(sqlite3.connect(path)) as reader:
        with store.batch():
            store.commit({"a": make_history()})
            store.commit({"b": make_history()})
            assert saved_keys(reader) == []
        assert saved_keys(reader) == ["a", "b"]
        with store.batch():
            store.commit({"c": make_history()})
            other = threading.Thread(target=store.commit, args=[{"d": make_history()}])
            other.start()
            other.join()
            assert saved_keys(reader) == ["a", "b", "c", "d"]
    store.close()


def saved_keys(reader: sqlite3.Connection) -> list[str]:
    """Return the data sources in a state file."""
    return [key for (key,) in reader.execute("SELECT key FROM source ORDER BY key")]


def test_a_commit_survives_sigkill(path: str) -> None:
    """A process that is killed right after a commit has saved it."""
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); from tests.support.state_files import *\n"
        "store = open_store(sys.argv[1]); store.commit({KEY: make_history()}); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script, path, str(ROOT)], check=False)
    assert done.returncode == -signal.SIGKILL
    store = open_store(path)
    assert store.history(KEY) == make_history()
    store.close()


def test_a_full_disk_loses_nothing(path: str) -> None:
    """Each failed write is counted, the failure is logged once, and the next successful write saves everything."""
    failures: list[None] = []
    store = Store(path, lambda: failures.append(None))
    with capture_logs() as logs:
        with full_disk():
            store.commit({KEY: make_history(2)})
            store.commit({KEY: make_history(40)})
            assert (len(failures), store.is_written, store.has_unwritten()) == (2, False, True)
            assert store.history(KEY) == make_history(40)
        store.commit({"another": make_history(1)})
    assert (len(failures), store.is_written, store.has_unwritten()) == (2, True, False)
    store.close()
    expected = ["state write failed, keeping changes in memory", "state write works again"]
    assert [line["event"] for line in logs] == expected
    store = open_store(path)
    assert store.history(KEY) == make_history(40)
    store.close()


def test_a_full_disk_does_not_prevent_a_start(path: str) -> None:
    """Unwatched sources stay in the file, with all their jobs, until a write succeeds."""
    store = open_store(path)
    store.commit({KEY: make_history(40)})
    store.close()
    failures: list[None] = []
    store = Store(path, lambda: failures.append(None))
    with full_disk():
        store.remove_unwatched(set(), NOON + 2 * UNWATCHED_RETENTION)
    assert len(failures) == 1
    assert saved_history(path) == make_history(40)
    store.close()
    assert saved_history(path) is None


def test_memory_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`:memory:` works like a file, and writes nothing to disk."""
    monkeypatch.chdir(tmp_path)
    store = open_store(MEMORY)
    store.commit({KEY: make_history()})
    assert store.history(KEY) == make_history()
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_the_file_does_not_grow_with_time(path: str) -> None:
    """Three months of hourly jobs need no larger file than one month."""
    history = fold(None, PollData((), NOON, NOON), POLICY)
    sizes = []
    for days in (range(30), range(30, 90)):
        store = open_store(path)
        for hour in range(days.start * 24, days.stop * 24, 6):
            jobs = tuple(make_job(f"j{n}", started=NOON + n * HOUR, added=1) for n in range(hour, hour + 6))
            polled_at = jobs[-1].started + 900
            history = fold(history, PollData(jobs, polled_at, polled_at), POLICY)
            store.commit({KEY: history})
        store.close()
        sizes.append(Path(path).stat().st_size)
    assert history.completed == {"SUCCEEDED": 90 * 24}
    assert sizes[1] <= sizes[0] * 1.2
    assert sizes[1] < 100_000
