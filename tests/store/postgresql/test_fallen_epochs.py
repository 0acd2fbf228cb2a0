"""A target that a database from an earlier time returns to a replica that has handed it over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.replicas import OUTAGE_GRACE
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from tests.support.postgresql import PostgreSqlServer


def test_the_earlier_owner_waits_for_the_last_one(postgresql: PostgreSqlServer, database: str) -> None:
    """The last owner has later counts, and asserts the target. The earlier one returns only if that one is dead."""
    with SteppedReplica(database, "a", target(1)) as a, SteppedReplica(database, "b", target(1)) as b:
        a.beat()
        postgresql.execute("UPDATE replica SET until = clock_timestamp() - interval '1 ms'", database)
        b.beat()
        a.beat()
        postgresql.execute("UPDATE target SET owner = 'a', epoch = 1", database)
        assert a.beat() == set()
        assert b.beat() == {key(1)}
        a.beat()
        postgresql.execute("UPDATE target SET owner = 'a', epoch = 1", database)
        assert a.beat() == set()
        a.now = OUTAGE_GRACE
        assert a.beat() == {key(1)}
