"""The open connections and their limits, with a fake clock."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from exporter.web.server.connections import Connection, Connections, Limits, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class ConnectionsFixture:
    """Connections with clients at their other ends, and a fake clock."""

    stack: ExitStack
    now: float = 1000.0
    connections: Connections = field(init=False)

    def __post_init__(self) -> None:
        limits = Limits(request=10, response=25, connections=3, unread=2)
        self.connections = Connections(limits, clock=lambda: self.now)

    def accept(self, phase: Phase = Phase.REQUEST, *, unread: bool = False) -> Connection:
        """Accept a connection, one second after the previous one."""
        self.now += 1
        server_end, client_end = socket.socketpair()
        for end in (server_end, client_end):
            self.stack.enter_context(end)
        connection = self.connections.add(server_end)
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
    """Return whether the server's end was shut down: a read then returns the end of the stream at once."""
    connection.socket.settimeout(0)
    try:
        return connection.socket.recv(1) == b""
    except BlockingIOError:
        return False


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


def test_closed_sockets_do_not_count(fixture: ConnectionsFixture) -> None:
    """After a failed handshake, no other connection is dropped."""
    first, second, third = (fixture.accept() for _ in range(3))
    third.socket.close()
    fixture.accept()
    assert not is_dropped(first)
    assert not is_dropped(second)


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
    """The oldest ones beyond the limit are dropped at once."""
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


def test_removing_a_connection_keeps_one_with_the_same_descriptor(fixture: ConnectionsFixture) -> None:
    """The kernel reuses the numbers of closed descriptors."""
    first = fixture.accept()
    successor = fixture.connections.add(first.socket)
    fixture.connections.remove(first)
    assert len(fixture.connections) == 1
    fixture.connections.remove(successor)
    assert len(fixture.connections) == 0
