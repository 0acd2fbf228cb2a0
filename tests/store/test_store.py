"""What survives: commits, crashes, a second exporter, a file that cannot be read, a disk that is full."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.history import fold
from exporter.domain.model import Description
from exporter.domain.snapshots import SavedSource
from exporter.domain.source_history import PollData, SourceHistory
from exporter.errors import StartupError
from exporter.store import MEMORY, Store
from exporter.store.sqlite import FORGET
from tests.support.builders import HOUR, NOON, POLICY, make_job, make_source

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "application/index/source"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Give a place for a state file."""
    return str(tmp_path / "state.db")


def no_failure() -> None:
    """Stand where no write may fail."""
    pytest.fail("a write failed")


def history(jobs: int = 3, at: float = NOON) -> SourceHistory:
    """Build a history with counted jobs, failures, documents and durations."""
    first = fold(None, PollData((), NOON, NOON), POLICY)
    ended = [
        replace(make_job(f"j{n}", "FAILED", started=NOON + n, added=n), connector_error="SPE-5002") for n in range(jobs)
    ]
    return fold(first, PollData((*ended, make_job("r", "SYNCING", started=at, lasted=None)), at, at), POLICY)


def opened(path: str) -> Store:
    """Open a store in which no write may fail."""
    return Store(path, no_failure)


def test_what_was_committed_is_there_after_a_restart(path: str) -> None:
    """Histories and settled names come back as they were."""
    store = opened(path)
    store.commit({KEY: history()})
    store.save_name("application/a", "intranet")
    store.close()
    store = opened(path)
    assert store.history(KEY) == history()
    assert store.name("application/a") == "intranet"
    store.close()


@given(counts=st.lists(st.integers(0, 20), min_size=1, max_size=6))
def test_any_sequence_of_commits_leaves_the_last(counts: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Jobs that were dropped between two commits are dropped from the file."""
    path = str(tmp_path_factory.mktemp("state") / "state.db")
    store = opened(path)
    for count in counts:
        store.commit({KEY: history(count)})
    store.close()
    store = opened(path)
    assert store.history(KEY) == history(counts[-1])
    store.close()


def test_a_commit_survives_a_kill(path: str) -> None:
    """The process dies right after the commit, without closing anything."""
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); from tests.store.test_store import *\n"
        "store = opened(sys.argv[1]); store.commit({KEY: history()}); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script, path, str(Path(__file__).parents[2])], check=False)
    assert done.returncode == -signal.SIGKILL
    store = opened(path)
    assert store.history(KEY) == history()
    store.close()


def test_a_second_exporter_is_refused_and_told_by_whom(path: str) -> None:
    """One exporter per file, so that no job is counted by two."""
    store = opened(path)
    with pytest.raises(StartupError) as refusal:
        opened(path)
    assert str(refusal.value) == (
        f"state file {path} is in use by another exporter (process {os.getpid()}): give each its own state.path"
    )
    store.close()
    opened(path).close()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_an_unreadable_file_is_moved_aside(path: str, content: bytes) -> None:
    """Nothing is lost: the bytes are still there under another name, and a fresh file is begun."""
    Path(path).write_bytes(content)
    store = opened(path)
    assert store.history(KEY) is None
    store.commit({KEY: history()})
    store.close()
    (aside,) = Path(path).parent.glob("state.db.unreadable-*")
    assert aside.read_bytes() == content


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE job SET state = '{}'",
        "UPDATE source SET totals = 'nonsense'",
        "UPDATE source SET totals = '[]'",
        "UPDATE source SET totals = replace(totals, '\"FAILED\":3', '\"FAILED\":1e999')",
        "DROP TABLE name",
        "PRAGMA user_version = 99",
    ],
)
def test_a_file_that_holds_what_we_cannot_read_is_moved_aside(path: str, damage: str) -> None:
    """Damage within, and files of a newer release, are told from a place that will not let us work."""
    store = opened(path)
    store.commit({KEY: history()})
    store.close()
    with sqlite3.connect(path) as db:
        db.execute(damage)
    db.close()
    store = opened(path)
    assert store.history(KEY) is None
    store.close()
    assert len(list(Path(path).parent.glob("state.db.unreadable-*"))) == 1


def test_another_programs_database_is_left_alone(path: str) -> None:
    """It is neither moved nor written to."""
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    before = Path(path).read_bytes()
    with pytest.raises(StartupError, match=r"is a database of another program: choose another state.path"):
        opened(path)
    assert Path(path).read_bytes() == before


def test_a_place_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """The message says what to do."""
    path = str(tmp_path / "missing" / "state.db")
    with pytest.raises(StartupError, match=r"cannot be opened for writing .*make its directory writable"):
        opened(path)


@pytest.fixture
def full_disk(path: str) -> Iterator[str]:
    """Let no file grow beyond what the state file has when it is new: every write fails as on a full disk."""
    opened(path).close()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield path
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_is_survived(full_disk: str) -> None:
    """Figures go on from memory, each failure is counted, and all is written when there is room again."""
    failures: list[None] = []
    store = Store(full_disk, lambda: failures.append(None))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    store.commit({KEY: history(2)})
    store.commit({KEY: history(40)})
    assert len(failures) == 2
    assert store.history(KEY) == history(40)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    store.commit({"another": history(1)})
    assert len(failures) == 2
    store.close()
    store = opened(full_disk)
    assert store.history(KEY) == history(40)
    store.close()


def test_a_full_disk_keeps_what_was_to_be_forgotten(full_disk: str) -> None:
    """Nobody starts less for it, and a source is dropped with all its jobs or not at all."""
    store = opened(full_disk)
    store.commit({KEY: history(40)})
    store.close()
    failures: list[None] = []
    store = Store(full_disk, lambda: failures.append(None))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    store.forget(set(), NOON + 2 * FORGET)
    assert len(failures) == 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    store.close()
    store = opened(full_disk)
    assert store.history(KEY) == history(40)
    store.close()


def test_memory_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`:memory:` leaves no file behind."""
    monkeypatch.chdir(tmp_path)
    store = opened(MEMORY)
    store.commit({KEY: history()})
    assert store.history(KEY) == history()
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_bounded_by_what_is_watched(path: str) -> None:
    """Three months of hourly jobs leave a file of the size that one month leaves."""
    state = fold(None, PollData((), NOON, NOON), POLICY)
    sizes = []
    for days in (range(30), range(30, 90)):
        store = opened(path)
        for hour in range(days.start * 24, days.stop * 24):
            job = make_job(f"j{hour}", started=NOON + hour * HOUR, added=1)
            state = fold(state, PollData((job,), job.started + 900, job.started + 900), POLICY)
            store.commit({KEY: state})
        store.close()
        sizes.append(Path(path).stat().st_size)
    assert sizes[1] <= sizes[0] * 1.2
    assert sizes[1] < 100_000


def test_what_nobody_watches_is_forgotten_after_a_month(path: str) -> None:
    """Not at once: a configuration that was wrong for a day costs no counters."""
    store = opened(path)
    store.commit({KEY: history()})
    store.forget(set(), NOON + HOUR)
    assert store.history(KEY) is not None
    store.forget({KEY}, NOON + 2 * FORGET)
    assert store.history(KEY) is not None
    store.forget(set(), NOON + 2 * FORGET)
    assert store.history(KEY) is None
    store.close()


def test_what_was_found_survives_and_goes_when_it_is_gone(path: str) -> None:
    """With its names and tags, the moment its target was first watched, and the account that that is."""
    description = Description("hr", "S3", "ACTIVE", created=NOON, updated=None, schedule="", tags=(("team", "hr"),))
    known = SavedSource(make_source(application="intranet", name="hr"), "main", description)
    store = opened(path)
    store.save_source("a", known)
    store.save_source("b", replace(known, index="other"))
    store.save_watched_since("production", NOON + 0.125)
    store.save_account("production", "111122223333")
    store.save_source("b", None)
    store.close()
    again = opened(path)
    assert again.saved_sources("production") == [known]
    assert again.saved_sources("staging") == []
    assert (again.watched_since("production"), again.watched_since("staging")) == (NOON + 0.125, None)
    assert again.account("production") == "111122223333"
    again.forget(set(), NOON)
    assert again.saved_sources("production") == []
    again.close()


def test_a_state_of_the_first_release_is_gone_on_with(path: str) -> None:
    """Its totals and names are all there, and the tables that came later are made."""
    with sqlite3.connect(path, isolation_level=None) as db:
        db.executescript(
            """
            CREATE TABLE source (key TEXT PRIMARY KEY, totals TEXT NOT NULL) STRICT, WITHOUT ROWID;
            CREATE TABLE job (
                source TEXT NOT NULL, execution_id TEXT NOT NULL, state TEXT NOT NULL,
                PRIMARY KEY (source, execution_id)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE name (key TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
            INSERT INTO name VALUES ('application/x', 'intranet');
            PRAGMA user_version = 1; PRAGMA application_id = 1363302469;
            """
        )
    db.close()
    store = opened(path)
    assert store.name("application/x") == "intranet"
    store.save_watched_since("production", NOON)
    assert store.watched_since("production") == NOON
    store.close()


def files_of(path: str) -> dict[str, bytes]:
    """Give every file beside a state file, and what is in it."""
    return {file.name: file.read_bytes() for file in Path(path).parent.iterdir()}


def test_a_copy_has_what_an_exporter_that_runs_has_written(path: str) -> None:
    """It asks for no lock, and what is done to it reaches nobody."""
    with_lock = opened(path)
    with_lock.commit({KEY: history()})
    with_lock.save_watched_since("production", NOON)
    copy = Store(path, no_failure, as_copy=True)
    assert copy.history(KEY) == history()
    assert copy.watched_since("production") == NOON
    copy.commit({KEY: history(jobs=5)})
    copy.save_name("application/a", "intranet")
    copy.close()
    assert with_lock.history(KEY) == history()
    assert with_lock.name("application/a") is None
    with_lock.close()


def test_a_copy_leaves_nothing_behind(path: str) -> None:
    """Not even a log of writes that belongs to somebody else than the exporter."""
    store = opened(path)
    store.commit({KEY: history()})
    store.close()
    before = files_of(path)
    copy = Store(path, no_failure, as_copy=True)
    assert copy.history(KEY) == history()
    copy.close()
    assert files_of(path) == before


def test_a_copy_of_nothing_is_empty(path: str) -> None:
    """Nothing was watched yet, and no file is made."""
    copy = Store(path, no_failure, as_copy=True)
    assert copy.history(KEY) is None
    assert not Path(path).parent.joinpath("state.db").exists()


def test_a_copy_of_what_cannot_be_read_is_an_error(path: str) -> None:
    """It stays where it is: only the exporter moves it aside."""
    Path(path).write_text("this is no database, whatever its name says" * 100)
    before = files_of(path)
    with pytest.raises(StartupError, match="cannot be read"):
        Store(path, no_failure, as_copy=True)
    assert files_of(path) == before
