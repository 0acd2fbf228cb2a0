"""Opening state files: damaged contents, inaccessible paths, older schemas, and copies."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from exporter.errors import StartupError
from tests.support.builders import NOON
from tests.support.state_files import KEY, contents_of, make_history, open_copy, open_store, run_sql


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_not_a_database_is_moved_aside(path: str, content: bytes) -> None:
    """Its contents are kept under another name, and the exporter starts with an empty file."""
    Path(path).write_bytes(content)
    store = open_store(path)
    assert store.history(KEY) is None
    store.commit({KEY: make_history()})
    store.close()
    (moved_to,) = Path(path).parent.glob("state.db.unreadable-*")
    assert moved_to.read_bytes() == content


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
def test_a_database_with_unreadable_contents_is_moved_aside(path: str, damage: str) -> None:
    """Damaged rows, missing tables, and the schema of a newer release are unreadable."""
    store = open_store(path)
    store.commit({KEY: make_history()})
    store.close()
    run_sql(path, damage)
    store = open_store(path)
    assert store.history(KEY) is None
    store.close()
    assert len(list(Path(path).parent.glob("state.db.unreadable-*"))) == 1


def test_a_database_of_another_program_is_not_changed(path: str) -> None:
    """The exporter does not start, move the file or write to it."""
    run_sql(path, "CREATE TABLE theirs (x)")
    before = Path(path).read_bytes()
    with pytest.raises(StartupError, match=r"is a database of another program: choose another state.path"):
        open_store(path)
    assert Path(path).read_bytes() == before


@pytest.mark.parametrize("name", ["file:state.db?mode=memory", "state.db?mode=ro&x=1#y", "a%20b ü.db"])
def test_a_path_is_never_a_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The state is in the file of that name, and is there again at the next start."""
    monkeypatch.chdir(tmp_path)
    with closing(open_store(name)) as store:
        store.commit({KEY: make_history()})
    assert Path(name).stat().st_size > 0
    with closing(open_store(name)) as store:
        assert store.history(KEY) == make_history()


def test_a_missing_directory_is_a_startup_error_with_a_solution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the directory of a relative path, and advice for the operator."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StartupError) as error:
        open_store("missing/state.db")
    assert str(error.value) == (
        f"state file {tmp_path}/missing/state.db cannot be opened for writing (No such file or directory): create the "
        f"directory {tmp_path}/missing, or set another state.path, or `:memory:` to run without a state file"
    )


def test_a_state_file_with_the_first_schema_is_migrated(path: str) -> None:
    """Its rows are kept, and the tables of later schemas are created."""
    run_sql(
        path,
        """
        CREATE TABLE source (key TEXT PRIMARY KEY, totals TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE job (
            source TEXT NOT NULL, execution_id TEXT NOT NULL, state TEXT NOT NULL,
            PRIMARY KEY (source, execution_id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE name (key TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT, WITHOUT ROWID;
        INSERT INTO name VALUES ('application/x', 'intranet');
        PRAGMA user_version = 1; PRAGMA application_id = 1363302469;
        """,
    )
    store = open_store(path)
    assert store.name("application/x") == "intranet"
    store.save_watched_since("production", NOON)
    assert store.watched_since("production") == NOON
    store.close()


def test_a_copy_needs_no_lock_and_does_not_change_the_file(path: str) -> None:
    """It has the state that a running exporter has written, and its own changes are not saved."""
    running = open_store(path)
    running.commit({KEY: make_history()})
    running.save_watched_since("production", NOON)
    copy = open_copy(path)
    assert copy.history(KEY) == make_history()
    assert copy.watched_since("production") == NOON
    copy.commit({KEY: make_history(jobs=5)})
    copy.save_name("application/a", "intranet")
    copy.close()
    assert running.history(KEY) == make_history()
    assert running.name("application/a") is None
    running.close()


def test_a_copy_creates_no_files(path: str) -> None:
    """A write-ahead log of another user would stop the exporter."""
    store = open_store(path)
    store.commit({KEY: make_history()})
    store.close()
    before = contents_of(Path(path).parent)
    copy = open_copy(path)
    assert copy.history(KEY) == make_history()
    copy.close()
    assert contents_of(Path(path).parent) == before


def test_a_copy_of_a_missing_file_is_empty(path: str) -> None:
    """The file is not created."""
    copy = open_copy(path)
    assert copy.history(KEY) is None
    copy.close()
    assert not Path(path).exists()


def test_a_copy_of_an_unreadable_file_is_a_startup_error(path: str) -> None:
    """Only a running exporter moves the file aside."""
    Path(path).write_text("not a database" * 100)
    before = contents_of(Path(path).parent)
    with pytest.raises(StartupError, match="cannot be read"):
        open_copy(path)
    assert contents_of(Path(path).parent) == before
