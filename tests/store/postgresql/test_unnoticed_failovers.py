"""Failovers to a standby that lacks commits, which end no session or take less time than a beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.domain.replicas import OUTAGE_GRACE
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from tests.support.postgresql import PostgreSqlServer

OTHER_KEY = "application/index/other source"
LAPSE = "UPDATE replica SET until = clock_timestamp() - interval '1 ms' WHERE id = 'a'"


@pytest.mark.parametrize("lost", [1, 3])
def test_a_commit_after_lost_commits_writes_everything_again(
    postgresql: PostgreSqlServer, database: str, lost: int
) -> None:
    """A pooler has kept the connection.

    The first commit on the new primary must not hide that earlier ones are lost.
    """
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        a.partition().commit({KEY: make_history(2)})
        for number in range(lost):
            a.partition().commit({KEY: make_history(7 + number)})
        postgresql.execute(f"UPDATE target SET revision = revision - {lost}", database)  # noqa: S608
        postgresql.execute("DELETE FROM job; UPDATE source SET totals = '{}'", database)
        a.partition().commit({OTHER_KEY: make_history(1)})
        a.commit_all()
        postgresql.execute(LAPSE, database)
        assert b.beat() == {key(1)}
        assert b.partition().history(KEY) == make_history(7 + lost - 1)
        assert b.partition().history(OTHER_KEY) == make_history(1)


def test_a_standby_with_old_leases_moves_no_target(postgresql: PostgreSqlServer, database: str) -> None:
    """It lags by more than a lease, and no beat has failed, because the failover was quick.

    The owner is alive, and its counts are not in this database. It writes them with its next beat.
    """
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        a.partition().commit({KEY: make_history(2)})
        b.beat()
        ((old, owner),) = postgresql.execute("SELECT revision, owner FROM target", database)
        a.partition().commit({KEY: make_history(7)})
        a.beat()
        b.beat()
        postgresql.execute("UPDATE replica SET until = until - interval '20 s'", database)
        postgresql.execute(f"UPDATE target SET revision = {old}", database)  # noqa: S608
        postgresql.execute("DELETE FROM job; UPDATE source SET totals = '{}'", database)
        assert (b.beat(), owner) == (set(), a.id)
        assert a.beat() == {key(1)}
        a.commit_all()
        postgresql.execute(LAPSE, database)
        b.now = OUTAGE_GRACE
        assert b.beat() == {key(1)}
        assert b.partition().history(KEY) == make_history(7)


def test_a_standby_without_the_lease_of_a_new_replica_moves_no_target(
    postgresql: PostgreSqlServer, database: str
) -> None:
    """The replica has joined after the last commit that the standby has."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        b.beat()
        postgresql.execute("UPDATE replica SET until = until - interval '20 s' WHERE id = 'a'", database)
        postgresql.execute("DELETE FROM replica WHERE id = 'b'", database)
        assert b.beat() == set()
        assert a.beat() == {key(1)}
