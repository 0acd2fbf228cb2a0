"""A state file that disappears under the process: noticed, counted as not written, and written again in full."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from exporter.store import Store
from tests.support.builders import NOON
from tests.support.state_files import KEY, contents_of, make_history, open_store, run_sql

if TYPE_CHECKING:
    from collections.abc import Callable

FAILED, WORKS = "state write failed, keeping changes in memory", "state write works again"


class Failures:
    """Counts failed writes."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        """Count one."""
        self.count += 1


def remove_all(path: str) -> None:
    """Remove the file, its write-ahead log and its index, as `rm state.db*` does."""
    for file in Path(path).parent.glob("state.db*"):
        file.unlink()


def remove_file(path: str) -> None:
    """Remove only the file."""
    Path(path).unlink()


def remove_log(path: str) -> None:
    """Remove only the write-ahead log, into which SQLite would continue to write."""
    Path(f"{path}-wal").unlink()


def replace_by_backup(path: str) -> None:
    """Move an older state file over the file."""
    other = f"{path}.backup"
    backup = open_store(other)
    backup.commit({"other": make_history(1), KEY: make_history(1)})
    backup.save_name("application/old", "old")
    backup.close()
    for file in (path, f"{path}-wal", f"{path}-shm"):
        Path(file).unlink()
    Path(other).rename(path)


def filled(path: str, failures: Failures) -> Store:
    """Open a store with two histories, a name and a time of first watch, all of them written."""
    store = Store(path, failures)
    store.commit({KEY: make_history(5), "idle": make_history(2)})
    store.save_name("application/a", "intranet")
    store.save_watched_since("production", NOON)
    return store


def check_contents(path: str) -> None:
    """Assert that the file has all of the state of `filled`, and nothing else."""
    store = open_store(path)
    assert (store.history(KEY), store.history("idle")) == (make_history(6), make_history(2))
    assert (store.name("application/a"), store.watched_since("production")) == ("intranet", NOON)
    assert (store.history("other"), store.name("application/old")) == (None, None)
    store.close()


@pytest.mark.parametrize("lose", [remove_all, remove_file, remove_log, replace_by_backup])
def test_a_lost_file_is_written_again_with_the_next_commit(path: str, lose: Callable[[str], None]) -> None:
    """The next commit counts a failed write, logs it, and writes even unchanged rows."""
    failures = Failures()
    store = filled(path, failures)
    lose(path)
    with capture_logs() as logs:
        store.commit({KEY: make_history(6)})
    assert (failures.count, store.is_written, store.has_unwritten()) == (1, True, False)
    assert [(line["event"], line.get("error")) for line in logs] == [
        (FAILED, "the file was removed or replaced"),
        (WORKS, None),
    ]
    # No matter how the process ends, even by kill -9, a start finds the files that are on the disk now.
    copy = str(Path(path).parent / "copy" / "state.db")
    shutil.copytree(Path(path).parent, Path(copy).parent)
    check_contents(copy)
    store.close()
    check_contents(path)


def test_an_empty_file_is_created_again(path: str) -> None:
    """There is nothing to write, and the next write will find the file."""
    store = Store(path, Failures())
    remove_all(path)
    store.commit({})
    assert (store.is_written, Path(path).exists()) == (True, True)
    store.close()


def test_a_commit_without_changes_notices_a_lost_file(path: str) -> None:
    """Every poll commits, so a fleet without syncs notices it too."""
    failures = Failures()
    store = filled(path, failures)
    history = make_history(6)
    store.commit({KEY: history})
    remove_all(path)
    store.commit({KEY: history})
    assert failures.count == 1
    store.close()
    check_contents(path)


def test_a_stop_writes_a_lost_file_again(path: str) -> None:
    """The file may disappear after the last poll."""
    store = filled(path, Failures())
    store.commit({KEY: make_history(6)})
    remove_all(path)
    store.close()
    check_contents(path)


def test_a_lost_directory_fails_each_write_until_it_is_back(path: str) -> None:
    """Each write counts one failure and the first is logged; the state stays in memory."""
    failures = Failures()
    store = filled(path, failures)
    directory = Path(path).parent
    moved = directory.rename(directory.with_name("moved"))
    with capture_logs() as logs:
        store.commit({KEY: make_history(6)})
        store.commit({KEY: make_history(6)})
        assert (failures.count, store.is_written, store.has_unwritten()) == (2, False, True)
        assert store.history(KEY) == make_history(6)
        directory.mkdir()
        store.commit({})
    assert (failures.count, store.is_written, store.has_unwritten()) == (3, True, False)
    assert [line["event"] for line in logs] == [FAILED, WORKS]
    store.close()
    check_contents(path)
    assert (moved / "state.db").exists()


def test_a_file_that_another_exporter_has_created_is_left_alone(path: str) -> None:
    """It continues with that file, and this one reports failed writes."""
    store = filled(path, Failures())
    remove_all(path)
    other = open_store(path)
    other.commit({"other": make_history(1)})
    store.commit({KEY: make_history(6)})
    assert (store.is_written, store.has_unwritten()) == (False, True)
    store.close()
    other.commit({"other": make_history(2)})
    other.close()
    reopened = open_store(path)
    assert (reopened.history("other"), reopened.history(KEY)) == (make_history(2), None)
    reopened.close()


def test_a_database_of_another_program_in_its_place_is_not_changed(path: str) -> None:
    """The exporter keeps its state in memory."""
    store = filled(path, Failures())
    remove_all(path)
    run_sql(path, "CREATE TABLE theirs (x)")
    before = contents_of(Path(path).parent)
    store.commit({KEY: make_history(6)})
    assert not store.is_written
    store.close()
    assert contents_of(Path(path).parent) == before
