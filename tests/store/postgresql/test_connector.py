"""Attempts to connect that take long: they delay neither the start nor the stop."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from exporter.domain.replicas import Replica
from exporter.errors import StoppedError
from exporter.runtime import System
from exporter.store.postgresql import DatabaseSettings, Session, SharedState, Watchdog, connector
from exporter.store.postgresql.connector import Connector
from exporter.store.postgresql.errors import UnavailableError
from tests.support.harness import eventually
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.postgresql import PostgreSqlServer

HOST = "db.internal"


class SlowDns:
    """A DNS server for one name; `delay` lets the next requests wait until `respond`."""

    def __init__(self) -> None:
        self._resolve = socket.getaddrinfo
        self._may_respond = threading.Event()
        self._to_delay = 0
        self.waiting = 0
        """The number of requests in progress."""

    def delay(self, requests: int) -> None:
        """Do not respond to some requests from now on."""
        self._to_delay = requests

    def respond(self) -> None:
        """Respond to all requests."""
        self._to_delay = 0
        self._may_respond.set()

    def resolve(self, host: str, *arguments: Any, **options: Any) -> object:
        """Resolve a name, as `socket.getaddrinfo`."""
        if host == HOST and self._to_delay:
            self._to_delay -= 1
            self.waiting += 1
            assert self._may_respond.wait(60)
            self.waiting -= 1
        return self._resolve("127.0.0.1" if host == HOST else host, *arguments, **options)


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDns]:
    """Replace the DNS server of the process."""
    dns = SlowDns()
    monkeypatch.setattr(socket, "getaddrinfo", dns.resolve)
    yield dns
    dns.respond()


def open_state(url: str) -> SharedState:
    """Open the state of a replica whose database has a name."""
    host = System()
    session = Session(DatabaseSettings(url.replace("127.0.0.1", HOST)), Watchdog(host), lambda _: "")
    state = SharedState(session, Replica("test", "test"), host, on_write_failure=lambda: None)
    state.configure([target(1)])
    return state


def test_a_dns_server_that_does_not_respond_is_waited_for(
    database: str, dns: SlowDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start continues without it. Further attempts do not accumulate, and the replica starts when DNS works."""
    monkeypatch.setattr(connector, "CONNECT_DEADLINE", 0.2)
    failures: list[UnavailableError] = []
    connect = Connector.connect

    def connect_and_count(attempts: Connector) -> psycopg.Connection[Any]:
        try:
            return connect(attempts)
        except UnavailableError as error:
            failures.append(error)
            raise

    monkeypatch.setattr(Connector, "connect", connect_and_count)
    dns.delay(100)
    state = open_state(database)
    assert "the DNS server" in (state.unready() or "")
    state.start(lambda: None)
    try:
        eventually(lambda: len(failures) > 3)
        assert dns.waiting == 1
        dns.respond()
        eventually(lambda: state.is_up and state.owned([target(1)]))
    finally:
        dns.respond()
        state.close()


def test_the_last_counts_are_written_although_an_attempt_got_no_response(
    postgresql: PostgreSqlServer, database: str, dns: SlowDns
) -> None:
    """The connection has failed, the next attempt waits, and the program stops. Another attempt would succeed.

    Until then, the state does not count as up, because the last statement has failed.
    """
    state = open_state(database)
    state.start(lambda: None)
    eventually(lambda: state.is_up and state.owned([target(1)]))
    partition = state.owned([target(1)])["t1"]
    dns.delay(1)
    name = database.rpartition("/")[2]
    with ThreadPoolExecutor(1) as pool:
        postgresql.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608
        commit = pool.submit(partition.commit, {KEY: make_history(5)})
        eventually(lambda: dns.waiting)
        assert not state.is_up
        state.close()
        assert isinstance(commit.exception(), StoppedError | None)
    dns.respond()
    with SteppedReplica(database, "next", target(1)) as replica:
        assert replica.beat() == {key(1)}
        assert replica.partition().history(KEY) == make_history(5)


@pytest.mark.parametrize("end", [Connector.abandon, Connector.hurry])
def test_an_abandoned_attempt_leaves_no_connection(
    postgresql: PostgreSqlServer, database: str, monkeypatch: pytest.MonkeyPatch, end: Callable[[Connector], None]
) -> None:
    """The program stops before the attempt has ended."""
    for name in ("CONNECT_DEADLINE", "HURRIED_DEADLINE"):
        monkeypatch.setattr(connector, name, 0.0)
    opened, may_open = threading.Event(), threading.Event()

    def open_connection() -> psycopg.Connection[Any]:
        may_open.wait()
        connection = psycopg.connect(database)
        opened.set()
        return connection

    attempts = Connector(System(), open_connection)
    with pytest.raises(UnavailableError):
        attempts.connect()
    end(attempts)
    if end is Connector.hurry:
        with pytest.raises(UnavailableError):
            attempts.connect()
    may_open.set()
    assert opened.wait(60)
    name = database.rpartition("/")[2]
    eventually(lambda: not postgresql.execute(f"SELECT 1 FROM pg_stat_activity WHERE datname = '{name}'"))  # noqa: S608
