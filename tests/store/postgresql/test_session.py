"""Settings of a session that do not depend on the defaults of the database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg

from tests.support.harness import eventually
from tests.support.stepped_replica import SteppedReplica, target

if TYPE_CHECKING:
    from tests.support.postgresql import PostgreSqlServer


def test_the_isolation_level_of_the_database_does_not_matter(postgresql: PostgreSqlServer, database: str) -> None:
    """A beat that has waited for a take-over reads the new owner, and not the owner when its transaction began."""
    name = database.rpartition("/")[2]
    postgresql.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    with SteppedReplica(database, "a", target(1)) as a:
        a.beat()
        with psycopg.connect(database) as other, ThreadPoolExecutor(1) as pool:
            other.execute("SELECT FROM replica FOR UPDATE")
            beat = pool.submit(a.beat)
            eventually(lambda: postgresql.execute("SELECT 1 FROM pg_locks WHERE NOT granted"))
            other.execute("INSERT INTO replica VALUES ('b', '', '', clock_timestamp() + interval '10 s', '{}')")
            other.execute("UPDATE target SET owner = 'b', epoch = epoch + 1")
            other.commit()
            assert beat.result() == set()
