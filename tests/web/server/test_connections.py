"""The ledger of open connections, with a clock of its own."""

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
class World:
    """Connections, the clients at their other ends, and the time."""

    stack: ExitStack
    now: float = 1000.0
    connections: Connections = field(init=False)

    def __post_init__(self) -> None:
        limits = Limits(request=10, response=25, connections=3, unread=2)
        self.connections = Connections(limits, clock=lambda: self.now)

    def accept(self, phase: Phase = Phase.REQUEST, *, unread: bool = False) -> Connection:
        """Let a client come, one second after the last."""
        self.now += 1
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            self.stack.enter_context(end)
        connection = self.connections.accepted(ours)
        self.connections.enter(connection, phase)
        if unread:
            ours.send(b"x")
        return connection


@pytest.fixture
def world() -> Iterator[World]:
    """Close every socket after the test."""
    with ExitStack() as stack:
        yield World(stack)


def is_dropped(connection: Connection) -> bool:
    """Tell whether our end was shut down: it reads the end of the stream instead of waiting."""
    connection.socket.settimeout(0)
    try:
        return connection.socket.recv(1) == b""
    except BlockingIOError:
        return False


def test_oldest_makes_room(world: World) -> None:
    """A newcomer takes the place of whoever has waited longest, and of nobody else."""
    first, second, third = (world.accept() for _ in range(3))
    fourth = world.accept()
    assert [is_dropped(each) for each in (first, second, third, fourth)] == [True, False, False, False]
    assert len(world.connections) == 3


def test_change_of_phase_renews_age(world: World) -> None:
    """Waiting counts from the latest change."""
    first, second, _ = (world.accept() for _ in range(3))
    world.connections.enter(first, Phase.IDLE)
    world.accept()
    assert [is_dropped(each) for each in (first, second)] == [False, True]


def test_same_phase_renews_nothing(world: World) -> None:
    """Another byte of the same request does not count."""
    first, _, _ = (world.accept() for _ in range(3))
    world.connections.enter(first, Phase.REQUEST)
    world.accept()
    assert is_dropped(first)


def test_answers_are_spared(world: World) -> None:
    """Neither a client being answered nor one that reads its answer makes room while another can."""
    answered, reading, idle = (
        world.accept(Phase.ANSWER),
        world.accept(Phase.IDLE, unread=True),
        world.accept(Phase.IDLE),
    )
    world.accept()
    assert [is_dropped(each) for each in (answered, reading, idle)] == [False, False, True]


def test_answers_make_room_at_last(world: World) -> None:
    """Where all are being answered, the oldest goes: a newcomer always gets in."""
    first, second, third = (world.accept(Phase.ANSWER) for _ in range(3))
    newcomer = world.accept()
    assert [is_dropped(each) for each in (first, second, third, newcomer)] == [True, False, False, False]


def test_closed_sockets_take_no_place(world: World) -> None:
    """A failed handshake leaves room without anyone being dropped."""
    first, second, third = (world.accept() for _ in range(3))
    third.socket.close()
    world.accept()
    assert not is_dropped(first)
    assert not is_dropped(second)


def test_sweep_drops_unfinished_requests(world: World) -> None:
    """Only those that the client has not finished are overdue."""
    request, answer, idle = world.accept(), world.accept(Phase.ANSWER), world.accept(Phase.IDLE)
    world.now = request.since + 9.9
    world.connections.sweep()
    assert not is_dropped(request)
    world.now = request.since + 10
    world.connections.sweep()
    world.now += 1000
    world.connections.sweep()
    assert [is_dropped(each) for each in (request, answer, idle)] == [True, False, False]


def test_sweep_drops_unread_responses(world: World) -> None:
    """Their time runs from the first sweep that found them."""
    unread = world.accept(Phase.ANSWER, unread=True)
    world.connections.sweep()
    world.now += 24
    world.connections.sweep()
    assert not is_dropped(unread)
    world.now += 1
    world.connections.sweep()
    assert is_dropped(unread)


def test_sweep_keeps_few_unread_responses(world: World) -> None:
    """The oldest beyond their number go at once."""
    first, second, third = (world.accept(Phase.IDLE, unread=True) for _ in range(3))
    world.connections.sweep()
    assert [is_dropped(each) for each in (first, second, third)] == [True, False, False]


def test_late_answers_are_not_the_oldest(world: World) -> None:
    """What counts is since when a response is unread, not when its request came."""
    late, second, third = world.accept(Phase.ANSWER), world.accept(Phase.IDLE), world.accept(Phase.IDLE)
    for each in (second, third, late):
        world.now += 1
        each.socket.send(b"x")
        world.connections.held_up(each)
    assert [is_dropped(each) for each in (late, second, third)] == [False, True, False]


def test_responses_read_meanwhile_do_not_count(world: World) -> None:
    """A client that took its response before others were held up stays."""
    connections = [world.accept(Phase.IDLE) for _ in range(3)]
    for each in connections:
        world.now += 1
        world.connections.held_up(each)
    assert not any(is_dropped(each) for each in connections)


def test_forgetting_does_not_touch_a_successor(world: World) -> None:
    """A descriptor's number may belong to another connection by now."""
    first = world.accept()
    successor = world.connections.accepted(first.socket)
    world.connections.forget(first)
    assert len(world.connections) == 1
    world.connections.forget(successor)
    assert len(world.connections) == 0
