"""Two releases on one database: an old database opens with all counts, and a rollout migrates under running replicas.

tests/data/postgresql/schema-1.sql is a database of the first schema with one target, by `pg_dump --inserts`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter.store.postgresql import schema
from exporter.store.postgresql.errors import RefusedError
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from tests.support.postgresql import PostgreSqlServer

FIRST_SCHEMA = Path(__file__).parents[2] / "data" / "postgresql" / "schema-1.sql"
TABLES = ("account", "job", "note", "replica", "source", "target")
# The changes that a later release may make while replicas of this release are running.
NEXT_STEP = "CREATE TABLE later (key text PRIMARY KEY);" + "".join(
    f"ALTER TABLE {table} ADD COLUMN later text NOT NULL DEFAULT '';" for table in TABLES
)
COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""


def structure(server: PostgreSqlServer, url: str) -> list[tuple[Any, ...]]:
    """Return the columns and the constraints of all tables."""
    return server.execute(COLUMNS, url) + server.execute(CONSTRAINTS, url)


def test_a_database_of_the_first_schema_opens_with_all_counts(postgresql: PostgreSqlServer, database: str) -> None:
    """Its last owner is dead. Tables are the same as in a new database afterwards."""
    postgresql.execute(FIRST_SCHEMA.read_text(), database)
    with SteppedReplica(database, "new", target(1)) as replica:
        assert replica.beat() == {key(1)}
        partition = replica.partition()
        assert partition.history(KEY) == make_history(3)
        assert (partition.account("t1"), partition.watched_since(key(1))) == ("000000000001", 1_790_000_000.125)
        assert partition.name(f"application/{'a' * 36}") == "intranet ü"
        assert [saved.container for saved in partition.saved_sources("production", None)] == ["main"]
        partition.commit({KEY: make_history(4)})
    new = postgresql.create_database()
    with SteppedReplica(new, "new"):
        assert structure(postgresql, database) == structure(postgresql, new)


def test_replicas_of_two_releases_share_targets_during_a_rollout(
    postgresql: PostgreSqlServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer one migrates the tables, and both count on, in both directions."""
    with SteppedReplica(database, "old", target(1), target(2)) as old:
        assert old.beat() == {key(1), key(2)}
        old.partition(1).commit({KEY: make_history(1)})
        monkeypatch.setattr(schema, "_MIGRATIONS", (*schema._MIGRATIONS, NEXT_STEP))  # noqa: SLF001 (the next release)
        with SteppedReplica(database, "new", target(1), target(2)) as new:
            assert postgresql.execute("SELECT version FROM exporter_schema", database) == [(3,)]
            new.beat()
            old.partition(1).commit({KEY: make_history(2)})
            old.partition(2).save_name("application/a", "named")
            old.beat()
            old.partition(2).save_account("t2", "000000000002", key(2))
            old.coordinator.leave()
            assert new.beat() == {key(1), key(2)}
            assert new.partition(1).history(KEY) == make_history(2)
            new.partition(1).commit({KEY: make_history(3)})
            new.coordinator.leave()
            assert old.beat() == {key(1), key(2)}  # a rollback that began before the end of the rollout
            assert old.partition(1).history(KEY) == make_history(3)
            old.partition(1).commit({KEY: make_history(4)})
        monkeypatch.undo()
        with pytest.raises(RefusedError, match=r"migrated by a newer release \(schema 3.*: run that release"):
            schema.prepare(old.session)  # as the older release does at a start
