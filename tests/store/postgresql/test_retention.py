"""Deletion of rows: the size of the database is limited, and a mistake in a configuration loses no counter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from structlog.testing import capture_logs

from exporter.store.postgresql import retention
from exporter.store.table_store import UNWATCHED_RETENTION
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from exporter.domain.target_identity import ConfiguredTarget

MONTH = UNWATCHED_RETENTION + 1
PARTS = 4  # checks after which a target of four data sources is deleted, three at a time


class TargetRows:
    """The rows of targets in the database, and the time that passes for them."""

    def __init__(self, url: str) -> None:
        self._url = url

    def count(self, key: str) -> int:
        """Return the number of rows of a target."""
        tables = (("target", "key"), ("source", "target"), ("job", "target"), ("note", "target"))
        return sum(self._run(f"SELECT count(*) FROM {table} WHERE {column} = '{key}'") for table, column in tables)  # noqa: S608

    def accounts(self) -> int:
        """Return the number of known accounts."""
        return self._run("SELECT count(*) FROM account")

    def replicas(self) -> int:
        """Return the number of rows of replicas."""
        return self._run("SELECT count(*) FROM replica")

    def pass_a_month(self) -> None:
        """Make every record of a dropped target a month older."""
        older = f"split_part(value, ' ', 1) || ' ' || split_part(value, ' ', 2)::float - {MONTH}"
        self._run(f"UPDATE note SET value = {older} WHERE kind = 'dropped' RETURNING 1")  # noqa: S608

    def kill_all(self) -> None:
        """End the leases of all replicas days ago."""
        self._run("UPDATE replica SET until = until - interval '2 days' RETURNING 1")

    def _run(self, sql: str) -> int:
        with psycopg.connect(self._url, autocommit=True) as connection:
            row = connection.execute(sql).fetchone()  # type: ignore[arg-type, unused-ignore]  # SQL of a test
            return int(row[0]) if row else 0


@pytest.fixture
def rows(database: str) -> TargetRows:
    """Return the rows of two targets with states, whose replica has left."""
    with SteppedReplica(database, "before", target(1), target(2)) as replica:
        replica.beat()
        for number in (1, 2):
            replica.partition(number).commit({f"{KEY}{n}": make_history(n) for n in range(1, 5)})
            replica.partition(number).save_account(f"t{number}", f"{number:012}", key(number))
            replica.commit_all()
        replica.coordinator.leave()
    return TargetRows(database)


def test_a_dropped_target_is_deleted_after_a_month(
    database: str, rows: TargetRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows go with it, in parts that delay no beat, and its account."""
    monkeypatch.setattr(retention, "CHUNK", 3)
    before = rows.count(key(1))
    with SteppedReplica(database, "a", target(1)) as a:
        a.clean_up()
        a.clean_up()
        assert rows.count(key(2)) == before + 1
        rows.pass_a_month()
        with capture_logs() as logs:
            for _ in range(PARTS):
                a.clean_up()
        assert (rows.count(key(1)), rows.count(key(2)), rows.accounts()) == (before, 0, 1)
        assert a.partition(1).history(f"{KEY}4") == make_history(4)
    assert [(line["event"], line["target"]) for line in logs] == [
        ("target removed from the state: no replica has it configured", key(2))
    ]


def test_a_target_that_returns_within_a_month_continues(database: str, rows: TargetRows) -> None:
    """It is dropped a second time later, and the first time does not count any more."""
    with SteppedReplica(database, "a", target(1)) as a:
        a.clean_up()
        rows.pass_a_month()
        a.coordinator.keys.configured = (target(1), target(2))
        a.beat()
        a.coordinator.keys.configured = (target(1),)
        for _ in range(PARTS):
            a.clean_up()
        a.coordinator.keys.configured = (target(1), target(2))
        a.beat()
        assert a.partition(2).history(f"{KEY}4") == make_history(4)


def test_a_target_that_returns_while_it_is_deleted_continues_with_what_is_left(
    database: str, rows: TargetRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next part is not deleted, although the replica that deletes has not seen the other one yet."""
    monkeypatch.setattr(retention, "CHUNK", 3)
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1), target(2)) as b:
        a.clean_up()
        rows.pass_a_month()
        a.clean_up()
        b.beat()
        for _ in range(PARTS):
            a.clean_up()
        assert b.partition(2).history(f"{KEY}1") is None
        assert b.partition(2).history(f"{KEY}4") == make_history(4)


@pytest.mark.parametrize("others", [(target(2),), (target(1), target(2))], ids=["only b", "both"])
def test_a_target_that_any_replica_has_stays(
    database: str, rows: TargetRows, others: tuple[ConfiguredTarget, ...]
) -> None:
    """Configurations differ during a rollout."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", *others) as b:
        a.clean_up()
        b.beat()
        rows.pass_a_month()
        for _ in range(PARTS):
            a.clean_up()
        assert b.partition(2).history(f"{KEY}4") == make_history(4)


def test_a_locked_row_of_a_dropped_target_delays_nothing(database: str, rows: TargetRows) -> None:
    """An operator has a transaction open in psql. The target is deleted later."""
    with SteppedReplica(database, "a", target(1)) as a:
        a.clean_up()
        rows.pass_a_month()
        with psycopg.connect(database) as operator:
            operator.execute("SELECT FROM target WHERE key = %s FOR UPDATE", [key(2)])
            a.clean_up()
        assert rows.count(key(2))
        a.session.lock_timeout = "100ms"
        with psycopg.connect(database) as operator, capture_logs() as logs:
            operator.execute("SELECT FROM job WHERE target = %s FOR UPDATE", [key(2)])
            a.clean_up()
        assert [line["log_level"] for line in logs] == ["warning"]
        a.clean_up()
        a.clean_up()
        assert rows.count(key(2)) == 0


def test_all_dropped_targets_are_deleted_by_one_replica(database: str, rows: TargetRows) -> None:
    """The next one follows without a pause."""
    with SteppedReplica(database, "a", target(3)) as a, SteppedReplica(database, "b", target(3)) as b:
        a.clean_up()
        rows.pass_a_month()
        b.clean_up()
        assert (rows.count(key(1)) > 0, rows.count(key(2)) > 0) == (True, True)
        a.clean_up()
        for _ in range(PARTS):
            a.continue_clean_up()
        assert (rows.count(key(1)), rows.count(key(2)), rows.count(key(3)), rows.accounts()) == (0, 0, 1, 0)


def test_rows_of_dead_replicas_are_deleted(database: str) -> None:
    """A process that is killed again and again leaves a row each time."""
    rows = TargetRows(database)
    for number in range(3):
        with SteppedReplica(database, f"killed{number}") as killed:
            killed.beat()
    rows.kill_all()
    with SteppedReplica(database, "a") as a:
        a.clean_up()
    assert rows.replicas() == 1
