"""A database that can be reached, and does not accept every write; and the thread that starts and stops targets."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from structlog.testing import capture_logs

from exporter.domain.replicas import Replica
from exporter.runtime import System
from exporter.store.postgresql import DatabaseSettings, Session, SharedState, Watchdog, writer
from exporter.store.postgresql.acquiring import MAX_UNEXPOSED
from tests.support.harness import eventually
from tests.support.postgresql import PostgreSqlServer
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import key, target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from exporter.store.table_store import TableStore

FULL_DISK = """
CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'could not extend file: No space left on device'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON source EXECUTE FUNCTION reject()
"""

REJECTED_TARGET = FULL_DISK.replace("EXECUTE", f"FOR EACH ROW WHEN (NEW.target = '{key(1)}') EXECUTE")


class Running:
    """A replica with its threads, which counts failed writes."""

    def __init__(self, url: str, targets: int = 2) -> None:
        host = System()
        session = Session(DatabaseSettings(url), Watchdog(host), lambda _: "")
        self.failures = 0
        self.state = SharedState(session, Replica("r", "r"), host, on_write_failure=self._count)
        self.targets = [target(number) for number in range(1, targets + 1)]
        self.state.configure(self.targets)

    def store(self, name: str = "t1") -> TableStore:
        """Return the state of a target, once it is owned."""
        eventually(lambda: self.state.is_up and name in self.state.owned(self.targets))
        return self.state.owned(self.targets)[name]

    def _count(self) -> None:
        self.failures += 1


@contextmanager
def running(url: str, owners_changed: Callable[[], None] = lambda: None) -> Iterator[Running]:
    """Run a replica."""
    replica = Running(url)
    replica.state.start(owners_changed)
    try:
        yield replica
    finally:
        replica.state.close()


def test_a_replica_that_exposes_its_targets_acquires_the_next_ones_at_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for its next beat, which is due in an hour here."""
    monkeypatch.setattr(writer, "BEAT_INTERVAL", 3600.0)
    replica = Running(database, 2 * MAX_UNEXPOSED + 5)

    def expose() -> None:
        for store in replica.state.owned(replica.targets).values():
            if not store.is_restored:
                store.mark_restored()

    replica.state.start(expose)
    try:
        eventually(lambda: len(replica.state.owned(replica.targets)) == len(replica.targets))
    finally:
        replica.state.close()


def test_a_full_disk_of_the_database_is_reported_and_blocks_no_poll(
    postgresql: PostgreSqlServer, database: str
) -> None:
    """The lease is renewed meanwhile, counts continue in memory, and are written when there is space again."""
    with running(database) as replica:
        store = replica.store()
        postgresql.execute(FULL_DISK, database)
        with capture_logs() as logs:
            store.commit({KEY: make_history(1)})
            store.commit({KEY: make_history(2)})
            assert (replica.state.is_up, replica.failures >= 2, store.history(KEY)) == (False, True, make_history(2))
            assert replica.state.replicas()[0].targets == (key(1), key(2))
            postgresql.execute("DROP TRIGGER full_disk ON source", database)
            eventually(lambda: len(logs) > 1)
        assert (replica.state.is_up, store.has_unwritten()) == (True, False)
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("database does not accept writes, keeping changes in memory", "error"),
        ("database works again", "info"),
    ]
    with running(database) as replica:
        assert replica.store().history(KEY) == make_history(2)


def test_a_target_whose_rows_are_rejected_does_not_hold_back_the_others(
    postgresql: PostgreSqlServer, database: str
) -> None:
    """Example: an operator has locked a row in psql. The log names the target, and it is written later."""
    with running(database) as replica, capture_logs() as logs:
        stores = [replica.store(name) for name in ("t1", "t2")]
        postgresql.execute(REJECTED_TARGET, database)
        for number in (1, 2):
            for store in stores:
                store.commit({KEY: make_history(number)})
            eventually(lambda: not stores[1].has_unwritten())
        assert (stores[0].has_unwritten(), replica.state.is_up) == (True, False)
        eventually(lambda: any(f"target {key(1)}: could not extend file" in str(line) for line in logs))
        postgresql.execute("DROP TRIGGER full_disk ON source", database)
        eventually(lambda: replica.state.is_up)
        assert not stores[0].has_unwritten()


def test_a_locked_row_does_not_delay_the_hand_over_of_other_targets(
    postgresql: PostgreSqlServer, database: str
) -> None:
    """An operator has a transaction open in psql when the program stops. Everything else is written and handed over."""
    with psycopg.connect(database) as operator, running(database) as replica:
        stores = [replica.store(name) for name in ("t1", "t2")]
        for store in stores:
            store.commit({KEY: make_history(1)})
        operator.execute("SELECT FROM target WHERE key = %s FOR UPDATE", [key(1)])
        for store in stores:
            store.save_name("application/a", "renamed")
        replica.state.close()
        owners = postgresql.execute("SELECT target.key, owner IS NULL FROM target ORDER BY key", database)
        assert owners == [(key(1), False), (key(2), True)]
        assert postgresql.execute("SELECT target, value FROM note", database) == [(key(2), "renamed")]
        assert postgresql.execute("SELECT id FROM replica", database) == []
        with running(database) as successor:
            assert successor.store("t2").history(KEY) == make_history(1)
            operator.rollback()
            assert successor.store("t1").history(KEY) == make_history(1)


def test_a_stop_during_a_restart_of_the_database_waits_for_it() -> None:
    """What was counted meanwhile is written then, and the next owner continues from there."""
    with PostgreSqlServer() as server:
        database = server.create_database()
        with running(database) as replica, capture_logs() as logs:
            store = replica.store()
            server.stop()
            store.commit({KEY: make_history(1)})
            assert not replica.state.is_up
            stop = threading.Thread(target=replica.state.close)
            stop.start()
            server.start()
            stop.join()
        assert "last changes not written" not in [line["event"] for line in logs]
        assert server.execute("SELECT id FROM replica", database) == []
        with running(database) as successor:
            assert successor.store().history(KEY) == make_history(1)


def test_a_stop_reports_what_it_could_not_write(postgresql: PostgreSqlServer, database: str) -> None:
    """The operator learns for how many data sources the next owner has an older state."""
    with running(database) as replica, capture_logs() as logs:
        store = replica.store()
        postgresql.close_database(database)
        store.commit({KEY: make_history(1), f"{KEY}-2": make_history(1)})
        replica.state.close(0.1)
        lost = [line for line in logs if line["event"] == "last changes not written"]
        assert [(line["data_sources"], line["log_level"]) for line in lost] == [(2, "error")]
        assert "not currently accepting connections" in lost[0]["error"]


def test_a_change_of_owners_that_fails_is_tried_again(database: str) -> None:
    """Example: the process has too many threads at that time, and cannot start a target that it has taken over."""
    calls: list[int] = []

    def apply() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise RuntimeError("can't start new thread")

    with running(database, apply), capture_logs() as logs:
        eventually(lambda: len(calls) > 1)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [
        "change of owners not applied, trying again"
    ]


def test_a_database_that_was_replaced_by_an_empty_one_gets_everything_again(
    postgresql: PostgreSqlServer, database: str
) -> None:
    """An operator has recreated it, or a failover has reached another one. Only the owners have the counts by then."""
    with running(database) as replica:
        replica.store().commit({KEY: make_history(3)})
        postgresql.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public", database)
        eventually(lambda: not replica.state.is_up)
        replica.store().commit({KEY: make_history(4)})
        eventually(lambda: replica.state.is_up)
    with running(database) as replica:
        assert replica.store().history(KEY) == make_history(4)


def test_one_missing_table_is_reported_until_it_is_restored(postgresql: PostgreSqlServer, database: str) -> None:
    """The lease is renewed meanwhile. The exporter does not create the table, whose rows belong to those of others."""
    with running(database) as replica, capture_logs() as logs:
        store = replica.store()
        store.commit({KEY: make_history(3)})
        postgresql.execute("ALTER TABLE job RENAME TO removed", database)
        store.commit({KEY: make_history(4)})
        eventually(lambda: not replica.state.is_up)
        (error,) = [line for line in logs if line["log_level"] == "error"]
        assert (error["event"], 'relation "job" does not exist' in error["error"]) == (writer.REJECTED, True)
        postgresql.execute("ALTER TABLE removed RENAME TO job", database)
        eventually(lambda: replica.state.is_up)
        assert replica.store() is store
    with running(database) as replica:
        assert replica.store().history(KEY) == make_history(4)
