"""Replicas behind a real PgBouncer; in transaction mode, each transaction may have another session."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest

from exporter.errors import StoppedError
from exporter.store.postgresql.errors import RefusedError
from tests.support.pgbouncer_server import POOL_SIZE, PgBouncerServer
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from tests.support.postgresql import PostgreSqlServer


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_ownership_holds_behind_a_pooler(postgresql: PostgreSqlServer, database: str, mode: str) -> None:
    """Take-over, fencing and hand-over are the same as without one."""
    with PgBouncerServer(postgresql, mode) as pooler, ExitStack() as running:
        a, b = (running.enter_context(SteppedReplica(pooler.url(database), name, target(1))) for name in "ab")
        a.beat()
        old = a.partition()
        old.commit({KEY: make_history(3)})
        with psycopg.connect(database, autocommit=True) as direct:
            direct.execute("UPDATE replica SET until = clock_timestamp() - interval '1 ms'")
        assert b.beat() == {key(1)}
        b.partition().commit({KEY: make_history(4)})
        with pytest.raises(StoppedError):
            old.commit({KEY: make_history(9)})
        a.beat()
        b.beat()
        b.coordinator.leave()
        assert a.beat() == {key(1)}
        assert a.partition().history(KEY) == make_history(4)


def test_statement_mode_is_refused(postgresql: PostgreSqlServer, database: str) -> None:
    """A commit needs a transaction, so waiting would not help."""
    with (
        PgBouncerServer(postgresql, "statement") as pooler,
        pytest.raises(RefusedError, match=r"statement pooling mode.*: configure PgBouncer with pool_mode session or"),
    ):
        SteppedReplica(pooler.url(database), "a", target(1))


def test_more_replicas_than_sessions_take_turns(postgresql: PostgreSqlServer, database: str) -> None:
    """In transaction mode, a session between two transactions belongs to another replica."""
    numbers = range(1, 3 * POOL_SIZE + 1)
    with PgBouncerServer(postgresql, "transaction") as pooler, ExitStack() as running:
        replicas = {
            number: running.enter_context(SteppedReplica(pooler.url(database), f"r{number}", target(number)))
            for number in numbers
        }

        def work(number: int, replica: SteppedReplica) -> None:
            replica.beat()
            for count in range(5):
                replica.partition(number).commit({KEY: make_history(count)})
                replica.beat()

        threads = [threading.Thread(target=work, args=each) for each in replicas.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [replicas[number].partition(number).history(KEY) for number in numbers] == [make_history(4)] * len(
            numbers
        )
