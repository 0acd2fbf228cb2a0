"""The open connections and their limits, with a fake clock."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from exporter.web.server.connections import Connection, Connections, Limits, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator


class FakeTransport(asyncio.Transport):
    """A transport without an event loop: it has no buffer, and closes its socket immediately."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__()
        self._socket = connected

    def abort(self) -> None:
        """Close the socket."""
        self._socket.close()

    def is_closing(self) -> bool:
        """Return whether the socket is closed."""
        return self._socket.fileno() < 0

    def get_write_buffer_size(self) -> int:
        """Return 0: the kernel has all bytes."""
        return 0


@dataclass
class ConnectionsFixture:
    """Connections with clients at their other ends, and a fake clock."""

    stack: ExitStack
    now: float = 1000.0
    connections: Connections = field(init=False)

    def __post_init__(self) -> None:
        limits = Limits(request=10, response=25, connections=3, tls_sessions=2, unread=2)
        self.connections = Connections(limits, clock=lambda: self.now)

    def accept(self, phase: Phase = Phase.REQUEST, *, unread: bool = False, tls: bool = False) -> Connection:
        """Accept a connection, one second after the previous one."""
        self.now += 1
        server_end, client_end = socket.socketpair()
        for end in (server_end, client_end):
            self.stack.enter_context(end)
        connection = self.connections.add(server_end)
        attach = self.connections.start_session if tls else self.connections.attach
        attach(connection, FakeTransport(server_end))
        self.connections.set_phase(connection, phase)
        if unread:
            server_end.send(b"x")
        return connection


@pytest.fixture
def fixture() -> Iterator[ConnectionsFixture]:
    """Close every socket after the test."""
    with ExitStack() as stack:
        yield ConnectionsFixture(stack)


def is_dropped(connection: Connection) -> bool:
    """Return whether the server has closed its end."""
    return connection.socket.fileno() < 0


def test_a_new_connection_replaces_the_oldest(fixture: ConnectionsFixture) -> None:
    """All others stay open."""
    first, second, third = (fixture.accept() for _ in range(3))
    fourth = fixture.accept()
    assert [is_dropped(each) for each in (first, second, third, fourth)] == [True, False, False, False]
    assert len(fixture.connections) == 3


def test_a_new_phase_resets_the_age(fixture: ConnectionsFixture) -> None:
    """The age counts from the last change of phase."""
    first, second, _ = (fixture.accept() for _ in range(3))
    fixture.connections.set_phase(first, Phase.IDLE)
    fixture.accept()
    assert [is_dropped(each) for each in (first, second)] == [False, True]


def test_the_same_phase_does_not_reset_the_age(fixture: ConnectionsFixture) -> None:
    """Another byte of the same request does not count."""
    first, _, _ = (fixture.accept() for _ in range(3))
    fixture.connections.set_phase(first, Phase.REQUEST)
    fixture.accept()
    assert is_dropped(first)


def test_connections_with_responses_are_replaced_last(fixture: ConnectionsFixture) -> None:
    """Neither a pending nor an unread response is dropped while another connection can be."""
    answered, reading, idle = (
        fixture.accept(Phase.RESPONSE),
        fixture.accept(Phase.IDLE, unread=True),
        fixture.accept(Phase.IDLE),
    )
    fixture.accept()
    assert [is_dropped(each) for each in (answered, reading, idle)] == [False, False, True]


def test_a_pending_response_is_dropped_if_there_is_no_other(fixture: ConnectionsFixture) -> None:
    """A new connection is always accepted."""
    first, second, third = (fixture.accept(Phase.RESPONSE) for _ in range(3))
    newcomer = fixture.accept()
    assert [is_dropped(each) for each in (first, second, third, newcomer)] == [True, False, False, False]


def test_connections_that_ended_do_not_count(fixture: ConnectionsFixture) -> None:
    """After one has ended, a new connection replaces no other."""
    first, second, third = (fixture.accept() for _ in range(3))
    fixture.connections.remove(third)
    fixture.accept()
    assert not is_dropped(first)
    assert not is_dropped(second)


def test_a_new_tls_session_replaces_the_oldest_session(fixture: ConnectionsFixture) -> None:
    """A connection that has no session yet stays open, although it is older: it holds less memory."""
    silent, first, second = fixture.accept(), fixture.accept(tls=True), fixture.accept(tls=True)
    fixture.connections.start_session(silent, FakeTransport(silent.socket))
    assert [is_dropped(each) for each in (silent, first, second)] == [False, True, False]


def test_a_tls_session_with_a_response_is_replaced_last(fixture: ConnectionsFixture) -> None:
    """A scrape in progress survives new sessions."""
    scrape, idle = fixture.accept(Phase.RESPONSE, tls=True), fixture.accept(Phase.IDLE, tls=True)
    fixture.accept(tls=True)
    assert [is_dropped(each) for each in (scrape, idle)] == [False, True]


def test_a_transport_of_a_dropped_connection_is_aborted(fixture: ConnectionsFixture) -> None:
    """A handshake may end in the same moment in which its connection is dropped."""
    first, _, _, _ = (fixture.accept() for _ in range(4))
    late, other = socket.socketpair()
    with late, other:
        fixture.connections.attach(first, FakeTransport(late))
        assert late.fileno() < 0


def test_a_sweep_drops_unfinished_requests(fixture: ConnectionsFixture) -> None:
    """Pending responses and idle connections have no such time limit."""
    request, answer, idle = fixture.accept(), fixture.accept(Phase.RESPONSE), fixture.accept(Phase.IDLE)
    fixture.now = request.phase_since + 9.9
    fixture.connections.sweep()
    assert not is_dropped(request)
    fixture.now = request.phase_since + 10
    fixture.connections.sweep()
    fixture.now += 1000
    fixture.connections.sweep()
    assert [is_dropped(each) for each in (request, answer, idle)] == [True, False, False]


def test_a_sweep_drops_unread_responses(fixture: ConnectionsFixture) -> None:
    """Their time starts at the first sweep that finds them."""
    unread = fixture.accept(Phase.RESPONSE, unread=True)
    fixture.connections.sweep()
    fixture.now += 24
    fixture.connections.sweep()
    assert not is_dropped(unread)
    fixture.now += 1
    fixture.connections.sweep()
    assert is_dropped(unread)


def test_a_sweep_limits_the_number_of_unread_responses(fixture: ConnectionsFixture) -> None:
    """The oldest ones beyond the limit are dropped immediately."""
    first, second, third = (fixture.accept(Phase.IDLE, unread=True) for _ in range(3))
    fixture.connections.sweep()
    assert [is_dropped(each) for each in (first, second, third)] == [True, False, False]


def test_the_age_of_an_unread_response_is_not_that_of_its_request(fixture: ConnectionsFixture) -> None:
    """A response that was rendered slowly is new."""
    late, second, third = fixture.accept(Phase.RESPONSE), fixture.accept(Phase.IDLE), fixture.accept(Phase.IDLE)
    for each in (second, third, late):
        fixture.now += 1
        each.socket.send(b"x")
        fixture.connections.mark_unread(each)
    assert [is_dropped(each) for each in (late, second, third)] == [False, True, False]


def test_responses_that_have_been_read_do_not_count(fixture: ConnectionsFixture) -> None:
    """A client that has read its response in the meantime is not dropped."""
    connections = [fixture.accept(Phase.IDLE) for _ in range(3)]
    for each in connections:
        fixture.now += 1
        fixture.connections.mark_unread(each)
    assert not any(is_dropped(each) for each in connections)
