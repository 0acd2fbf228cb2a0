"""The state in SQLite: commits, crashes, full disks, and the removal of unwatched sources."""

from __future__ import annotations

import itertools
import resource
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.domain.clock_check import ClockReading
from exporter.domain.documents import Document, DocumentTally
from exporter.domain.history import fold
from exporter.domain.model import Description, Location
from exporter.domain.snapshots import SavedSource
from exporter.domain.source_history import PollData
from exporter.domain.units import HOUR
from exporter.store import MEMORY, Store
from exporter.store.table_store import UNWATCHED_RETENTION
from tests.support.builders import NOON, POLICY, make_job, make_source
from tests.support.state_files import KEY, make_history, open_copy, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

ROOT = Path(__file__).parents[2]


def test_committed_state_is_the_same_after_a_restart(path: str) -> None:
    """Histories and resolved names are equal to those that were saved."""
    store = open_store(path)
    store.commit({KEY: make_history()})
    store.save_name("application/a", "intranet")
    store.close()
    store = open_store(path)
    assert store.history(KEY) == make_history()
    assert store.name("application/a") == "intranet"
    store.close()


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


def test_saved_sources_belong_to_a_location_and_not_to_a_name(path: str) -> None:
    """Only where one of the locations is unknown, the name of the target decides."""
    here, elsewhere = Location("111122223333", "us-east-1"), Location("444455556666", "us-east-1")
    description = Description("hr", "S3", "ACTIVE")
    known = SavedSource(make_source(name="hr"), "main", description, here, ClockReading(NOON, 0.25))
    unknown = replace(known, location=None)
    store = open_store(path)
    store.save_source("known", known)
    store.save_source("unknown", unknown)
    store.close()
    store = open_store(path)
    assert store.saved_sources("production", here) == [known, unknown]
    assert store.saved_sources("production", elsewhere) == [unknown]
    assert store.saved_sources("production", None) == [known, unknown]
    assert store.saved_sources("renamed", here) == [known]
    assert store.saved_sources("renamed", None) == []
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
    assert open_copy(path).history(KEY) == make_history(40)
    store.close()
    assert open_copy(path).history(KEY) is None


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


def test_poll_times_are_saved_without_other_changes(path: str) -> None:
    """Only the time advances; a source that was never polled, and an earlier time, change nothing."""
    history = make_history()
    store = open_store(path)
    store.commit({KEY: history, "later": replace(history, as_of=NOON + HOUR)})
    store.save_poll_times({KEY: NOON + 60, "later": NOON + 60, "unknown": NOON + 60})
    store.close()
    store = open_store(path)
    assert store.history(KEY) == replace(history, as_of=NOON + 60)
    assert store.history("later") == replace(history, as_of=NOON + HOUR)
    assert store.history("unknown") is None
    store.close()


def test_saving_poll_times_never_undoes_a_commit(path: str) -> None:
    """A poll may end while a stop saves the times of polls: its counts stay, in any order."""
    store = open_store(path)
    store.commit({KEY: make_history(0)})
    stopped = threading.Event()

    def save_times() -> None:
        for seconds in itertools.count(1):
            store.save_poll_times({KEY: NOON + seconds})
            if stopped.is_set():
                return

    stop = threading.Thread(target=save_times)
    stop.start()
    for count in range(1, 60):
        store.commit({KEY: make_history(count)})
        history = store.history(KEY)
        assert history
        assert history.completed == {"FAILED": count}
    stopped.set()
    stop.join()
    store.close()
    store = open_store(path)
    history = store.history(KEY)
    assert history
    assert history.completed == {"FAILED": 59}
    store.close()


def test_the_time_of_an_attempt_lives_as_long_as_its_source(path: str) -> None:
    """It survives a restart, and does not pile up for removed sources."""
    store = open_store(path)
    for key in ("watched", "removed", "unwatched"):
        store.save_attempt(key, NOON)
    store.remove_source("removed")
    store.close()
    store = open_store(path)
    assert [store.attempted_at(key) for key in ("watched", "removed", "unwatched")] == [NOON, None, NOON]
    store.remove_unwatched({"watched"}, NOON)
    assert [store.attempted_at(key) for key in ("watched", "removed", "unwatched")] == [NOON, None, None]
    store.close()


def test_an_unwatched_source_is_removed_after_a_month(path: str) -> None:
    """A configuration that lacks a source for a day does not lose its counters."""
    store = open_store(path)
    store.commit({KEY: make_history()})
    store.remove_unwatched(set(), NOON + HOUR)
    assert store.history(KEY) is not None
    store.remove_unwatched({KEY}, NOON + 2 * UNWATCHED_RETENTION)
    assert store.history(KEY) is not None
    store.remove_unwatched(set(), NOON + 2 * UNWATCHED_RETENTION)
    assert store.history(KEY) is None
    store.close()
    store = open_store(path)
    assert store.history(KEY) is None
    store.close()


def test_saved_sources_survive_a_restart_until_they_are_deleted(path: str) -> None:
    """So do the account of a target, and the time at which it was first watched."""
    description = Description("hr", "S3", "ACTIVE", created=NOON, updated=None, schedule="", tags=(("team", "hr"),))
    saved = SavedSource(make_source(root="intranet", name="hr"), "main", description, is_described=True)
    store = open_store(path)
    store.save_source("a", saved)
    store.save_source("b", replace(saved, container="other"))
    store.save_watched_since("identity", NOON + 0.125)
    store.save_account("production", "111122223333", "identity")
    store.remove_source("b")
    store.close()
    store = open_store(path)
    assert store.saved_sources("production", None) == [saved]
    assert store.saved_sources("staging", None) == []
    assert (store.watched_since("identity"), store.watched_since("another")) == (NOON + 0.125, None)
    assert store.account("production") == "111122223333"
    store.remove_unwatched(set(), NOON)
    assert store.saved_sources("production", None) == []
    store.close()


def test_counts_of_documents_survive_a_restart_until_their_source_is_removed(path: str) -> None:
    """Undocumented statuses and foreign texts are kept as they are."""
    tally = DocumentTally()
    tally.add([Document("s3://ü/\x1b", "FAILED", "InvalidRequest", 'a "q"\n', None, NOON), Document("b", "NEW")])
    count = tally.result(NOON)
    store = open_store(path)
    store.save_documents(KEY, count)
    store.save_documents("other", count)
    store.close()
    store = open_store(path)
    assert store.documents(KEY) == count
    store.remove_source(KEY)
    assert store.documents(KEY) is None
    store.remove_unwatched({KEY}, NOON)
    assert store.documents("other") is None
    store.close()
