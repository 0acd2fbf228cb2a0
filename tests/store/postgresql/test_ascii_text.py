"""Text of any kind in a database of any encoding."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.domain.target_identity import ConfiguredTarget
from tests.support.stepped_replica import SteppedReplica, key

if TYPE_CHECKING:
    from tests.support.postgresql import PostgreSqlServer


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_any_encoding_of_the_database_can_have_all_names(postgresql: PostgreSqlServer, encoding: str) -> None:
    """The documented encoding is UTF8. Names of targets and addresses of replicas may contain other characters."""
    name, database, address = "日本 \x00", f"encoded_{encoding.lower()}", "http://例え.jp"
    locale = f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    postgresql.execute(f"CREATE DATABASE {database} {locale}")
    named = ConfiguredTarget(name, "qbusiness", "us-east-1")
    url = postgresql.url(database)
    with SteppedReplica(url, "a", named) as a, SteppedReplica(url, "b", named) as b:
        a.coordinator.lease.replica = replace(a.coordinator.replica, address=address)
        (owned,) = a.beat()
        a.coordinator.partitions[owned].save_account(name, "000000000001", key(1))
        assert (b.beat(), b.coordinator.keys.accounts) == (set(), {name: "000000000001"})
        assert b.coordinator.members.replicas["a"].address == address
