"""`state copy` with a real database: counters continue in both directions."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from exporter.app.state import open_archive
from exporter.app.state_copy import DatabaseState, FileState
from exporter.config import StateConfig
from exporter.domain.model import Description, Location
from exporter.domain.snapshots import SavedSource
from exporter.runtime import System
from exporter.store import Store
from exporter.store.postgresql import rows
from exporter.store.row_changes import KEY_COLUMNS
from exporter.store.state_tables import StateTables
from tests.support.builders import NOON, make_source
from tests.support.program_process import run_command
from tests.support.state_files import make_history, open_copy, open_store, run_sql
from tests.support.stepped_replica import SteppedReplica, key, target
from tests.support.stores import PostgreSqlBackend

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from exporter.store.postgresql.session import Transaction
    from exporter.store.state_rows import StateRows
    from tests.support.postgresql import PostgreSqlServer

SOURCES = {name: make_source(number) for number, name in enumerate(("first", "second", "unknown"))}
KEYS = {name: str(source.id) for name, source in SOURCES.items()}


def copy(*places: str) -> subprocess.CompletedProcess[str]:
    """Run `state copy`."""
    return run_command("state", "copy", *places)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return a state file with sources of two targets, and one whose target it does not have."""
    path = str(tmp_path / "state.db")
    store = open_store(path)
    description = Description("hr", "S3", "ACTIVE")
    for number, name in enumerate(("first", "second"), start=1):
        location = Location(f"{number:012}", "us-east-1")
        saved = SavedSource(replace(SOURCES[name], target=f"t{number}"), "main", description, location)
        store.save_source(KEYS[name], saved)
        store.save_account(f"t{number}", location.account, key(number))
        store.save_watched_since(key(number), NOON)
    for number, name in enumerate(KEYS):
        store.commit({KEYS[name]: make_history(number + 1)})
    store.save_name("application/a", "intranet \x00 ü")
    store.close()
    return path


def test_replicas_continue_with_the_state_of_a_file(file: str, database: str) -> None:
    """Each target has its own sources, and those whose target the file does not have."""
    done = copy(file, database)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert 'msg="state copied" data_sources=3' in done.stderr
    assert "secret" not in done.stderr
    with SteppedReplica(database, "a", target(1), target(2)) as replica:
        assert replica.beat() == {key(1), key(2)}
        first, second = replica.partition(1), replica.partition(2)
        assert (first.history(KEYS["first"]), first.history(KEYS["second"])) == (make_history(1), None)
        assert (second.history(KEYS["first"]), second.history(KEYS["second"])) == (None, make_history(2))
        assert first.history(KEYS["unknown"]) == second.history(KEYS["unknown"]) == make_history(3)
        assert (first.name("application/a"), first.watched_since(key(1))) == ("intranet \x00 ü", NOON)
        assert [saved.source.id for saved in first.saved_sources("t1", None)] == [SOURCES["first"].id]


def test_a_file_continues_with_the_state_of_replicas(file: str, database: str, tmp_path: Path) -> None:
    """Of a source that two targets have, the newer history counts."""
    assert copy(file, database).returncode == 0
    newer = replace(make_history(9), as_of=NOON + 60)
    with SteppedReplica(database, "a", target(1), target(2)) as replica:
        replica.beat()
        replica.partition(1).commit({KEYS["unknown"]: newer})
        replica.coordinator.leave()
    back = str(tmp_path / "back.db")
    done = copy(database, back)
    assert done.returncode == 0, done.stderr
    with closing(open_copy(back)) as store, closing(open_copy(file)) as before:
        assert store.history(KEYS["unknown"]) == newer
        for name in ("first", "second"):
            assert store.history(KEYS[name]) == before.history(KEYS[name])
        assert store.saved_sources("t2", None) == before.saved_sources("t2", None)
        assert (store.account("t1"), store.name("application/a")) == ("000000000001", "intranet \x00 ü")


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        ("DELETE FROM data_source; DELETE FROM target", "lacks the targets of its data sources: run this release"),
        ("UPDATE data_source SET state = json_remove(state, '$.location')", "lacks the region of target t1: run this"),
    ],
)
def test_a_file_of_an_earlier_release_without_targets_is_refused(
    file: str, database: str, missing: str, problem: str
) -> None:
    """Replicas would look for the counts under other keys, and start over."""
    run_sql(file, "DELETE FROM target WHERE key LIKE 'watched since/%'")
    run_sql(file, missing)
    done = copy(file, database)
    assert (done.returncode, problem in done.stderr) == (1, True), done.stderr


def test_a_region_that_only_the_identity_has_is_used(file: str, database: str) -> None:
    """An earlier release saved data sources without their account and region."""
    run_sql(file, "UPDATE data_source SET state = json_remove(state, '$.location')")
    assert copy(file, database).returncode == 0
    with SteppedReplica(database, "a", target(1)) as replica:
        assert replica.beat() == {key(1)}
        assert replica.partition(1).history(KEYS["first"]) == make_history(1)


def test_a_destination_that_has_state_is_refused(file: str, database: str, tmp_path: Path) -> None:
    """Neither a file nor a database is overwritten."""
    assert copy(file, database).returncode == 0
    again = copy(file, database)
    assert again.returncode == 1
    assert "is not empty: state can be copied into an empty one only" in again.stderr
    other = tmp_path / "other.db"
    other.write_text("")
    assert "exists: state can be copied into a new file only" in copy(database, str(other)).stderr


def test_a_database_in_use_is_refused(file: str, postgresql: PostgreSqlServer, tmp_path: Path) -> None:
    """A running replica would not see the copied state, and the copy would lack its later counts."""
    backend = PostgreSqlBackend(postgresql)
    with backend.opened():
        for places in ((file, backend.url), (backend.url, str(tmp_path / "back.db"))):
            done = copy(*places)
            assert done.returncode == 1
            assert "is in use by an exporter: stop all replicas first" in done.stderr


def test_a_target_that_cannot_be_read_is_named(
    file: str, postgresql: PostgreSqlServer, database: str, tmp_path: Path
) -> None:
    """Nothing is copied, because the copy would lack its counters."""
    assert copy(file, database).returncode == 0
    postgresql.execute(f"UPDATE job SET state = '{{' WHERE target = '{key(2)}'", database)  # noqa: S608
    done, back = copy(database, str(tmp_path / "back.db")), tmp_path / "back.db"
    assert (done.returncode, back.exists()) == (1, False)
    assert f"the state of target {key(2)} in database postgresql://<redacted>127.0.0.1" in done.stderr
    assert "repair or delete its rows" in done.stderr


def test_rows_are_parsed_after_the_transaction(
    file: str, database: str, postgresql: PostgreSqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends a transaction that is idle for seconds, and a large state takes longer to parse."""
    assert copy(file, database).returncode == 0
    # A session that has been closed is listed until its process has ended, but its transaction is not.
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    sql = f"SELECT count(*) FROM pg_stat_activity WHERE {others} AND xact_start IS NOT NULL"  # noqa: S608
    sessions: list[object] = []
    load = StateTables.load

    def load_and_count(*given: Any) -> None:
        sessions.extend(postgresql.execute(sql, database))
        load(*given)

    monkeypatch.setattr(StateTables, "load", load_and_count)
    rows = DatabaseState(database).read()
    assert (len(rows["source"]), sessions) == (3, [(0,), (0,)])


def test_the_name_of_a_file_appears_when_it_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exporter must not start with the empty file of a copy that was interrupted. A further copy replaces it."""
    (tmp_path / "state.db.incomplete").write_text("the rest of an earlier copy")
    path, import_rows = tmp_path / "state.db", Store.import_rows

    def interrupt(store: Store, rows: StateRows) -> None:
        import_rows(store, rows)
        assert not path.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "import_rows", interrupt)
    empty: StateRows = {table: [] for table in KEY_COLUMNS}
    with pytest.raises(KeyboardInterrupt):
        FileState(path).write(empty)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    FileState(path).write(empty)
    assert list(tmp_path.iterdir()) == [path]


def test_a_copy_next_to_replicas_has_rows_of_one_time(file: str, database: str, postgresql: PostgreSqlServer) -> None:
    """`export` reads the state while an owner commits. Newer jobs must not meet older totals."""
    assert copy(file, database).returncode == 0
    archive, read = open_archive(StateConfig(url=database), System()), rows.read_state
    late = f"INSERT INTO note SELECT key, 'name', 'application/b', 'late' FROM target WHERE key = '{key(2)}'"  # noqa: S608

    def read_slowly(transaction: Transaction, target: str) -> StateRows:
        found = read(transaction, target)
        if target == key(1):
            postgresql.execute(late, database)
        return found

    with mock.patch("exporter.store.postgresql.archive.read_state", read_slowly):
        before = archive.read()
    after = archive.read()
    assert before
    assert after
    assert ["late" in {name for _, name in found["name"]} for found in (before, after)] == [False, True]


def test_a_connection_that_fails_is_reported(file: str, database: str, postgresql: PostgreSqlServer) -> None:
    """Example: the database is restarted during the copy."""
    assert copy(file, database).returncode == 0
    sql = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
    body = "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
    trigger = "CREATE TRIGGER failing BEFORE INSERT ON source FOR EACH ROW EXECUTE FUNCTION fail()"
    postgresql.execute(f"TRUNCATE source; {sql}{body}; {trigger}", database)
    done = copy(file, database)
    assert done.returncode == 1
    # Releases of psycopg differ in the text before and after the message of the server.
    assert re.search("cannot be reached: .*terminating connection due to administrator command", done.stderr)


def test_a_file_in_use_is_refused(file: str, database: str) -> None:
    """The exporter that has it open would count on, and the copy would lack it."""
    store = open_store(file)
    done = copy(file, database)
    store.close()
    assert done.returncode == 1
    assert "is in use by another exporter" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (["missing.db", "to.db"], 1, "state file missing.db does not exist"),
        (["same.db", "same.db"], 1, "the source and the destination are the same"),
        (["postgresql://nobody@127.0.0.1:1/x", "to.db"], 1, "Connection refused"),
        (["only.db"], 2, "expected: qbusiness-exporter state copy FROM TO"),
    ],
)
def test_wrong_places_are_reported(words: list[str], code: int, problem: str) -> None:
    """The message names the place."""
    done = copy(*words)
    assert done.returncode == code
    assert problem in done.stderr


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("postgresql://u:hunter2@[h/db", "url: not a URL: write postgresql://HOST/DATABASE?user=NAME"),
        ("postgresql://u:hunter 2@h/db", "url: the URL has blanks, or characters that cannot be printed"),
        (f"postgresql://u:hunter2@{'h' * 1000}/db", "url: 1026 characters are too many: write at most 1000"),
        (
            "mysql://u:hunter2@h/db",
            "only a database has a URL, which begins with postgresql://",
        ),
        (":memory:", ":memory: keeps no state: name the path of a file"),
    ],
)
@pytest.mark.parametrize("is_source", [True, False])
def test_a_place_that_cannot_have_a_state_is_refused(file: str, place: str, problem: str, *, is_source: bool) -> None:
    """The message says why, and has neither a password nor a traceback."""
    done = copy(place, file) if is_source else copy(file, place)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, problem in line) == (1, True), line
    assert "hunter" not in line
    assert 'msg="command failed" error=' in line
