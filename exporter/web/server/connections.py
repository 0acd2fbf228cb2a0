"""Every open connection, how long it has kept us waiting, and which of them must go.

Clients that stall must not keep Prometheus out: they have deadlines, and where there are too many connections, a
newcomer takes the place of whoever has waited longest.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # linger: on, for no time


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, in seconds, and how many clients may keep us waiting."""

    request: float = 10  # for the TLS handshake and the whole request, and for the end of a connection
    response: float = 25  # until the client has taken a response; with the coarse checking, well within 30
    idle: int = 75  # between requests: longer than the usual scrape intervals, so that Prometheus need not reconnect
    stop: float = 0.5  # for responses under way when the server stops
    connections: int = 500
    unread: int = 64  # of the exposition all hold the same in memory, but each what was given to its socket


class Phase(Enum):
    """Whom a connection waits for."""

    REQUEST = auto()  # the client: handshake or request begun, and not complete
    ANSWER = auto()  # us
    IDLE = auto()  # nobody: the client may ask again
    CLOSING = auto()  # the client: under TLS, it has to agree that this is the end


@dataclass(slots=True, eq=False)
class Connection:
    """An accepted socket, and the transport above it once a handshake is done."""

    socket: socket.socket
    since: float
    number: int
    phase: Phase = Phase.REQUEST
    unread_since: float | None = None
    transport: asyncio.Transport | None = None
    is_last: bool = False  # whether it ends with the answer that is under way

    @property
    def is_closed(self) -> bool:
        """Tell whether the socket is gone, as it is after a failed handshake, of which no protocol hears."""
        return self.socket.fileno() < 0

    @property
    def is_unread(self) -> bool:
        """Tell whether the client has yet to take some of what we sent."""
        if self.transport is not None and self.transport.get_write_buffer_size() > 0:
            return True
        with suppress(OSError, ValueError):
            # A response may fit the kernel's buffer whole, and then the transport's is empty.
            return any(fcntl.ioctl(self.socket.fileno(), termios.TIOCOUTQ, bytes(4)))
        return False

    def drop(self) -> None:
        """End the connection at once, and with a reset: else the kernel would keep what was not read for minutes."""
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        if self.transport is not None:
            self.transport.abort()
        else:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)  # the event loop owns it, and closes it when it notices


@dataclass(slots=True)
class Connections:
    """The open connections, those that have been in their phase longest first; belongs to the event loop's thread."""

    limits: Limits
    clock: Callable[[], float] = time.monotonic
    _by_age: OrderedDict[int, Connection] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._by_age)

    def accepted(self, accepted: socket.socket) -> Connection:
        """Take in a new connection, in the place of another when there are too many."""
        if len(self) >= self.limits.connections:
            self._make_room()
        connection = Connection(accepted, self.clock(), accepted.fileno())
        self._by_age[connection.number] = connection
        return connection

    def adopt(self, transport: asyncio.Transport) -> Connection | None:
        """Find the connection that a transport belongs to, now that its handshake is done; None when it was dropped."""
        connection = self._by_age.get(transport.get_extra_info("socket").fileno())
        if connection is None:
            transport.abort()
        else:
            connection.transport = transport
        return connection

    def enter(self, connection: Connection, phase: Phase) -> None:
        """Note what a connection waits for now; its time starts anew only when that changes."""
        if connection.phase is not phase and connection.number in self._by_age:
            connection.phase = phase
            connection.since = self.clock()
            self._by_age.move_to_end(connection.number)
            self._end_where_due(connection)

    def renew(self) -> None:
        """End every connection that was accepted before, once it waits for nothing: it was let in by other rules."""
        for connection in list(self._by_age.values()):
            connection.is_last = True
            self._end_where_due(connection)

    def forget(self, connection: Connection) -> None:
        """Leave out a connection that has ended."""
        if self._by_age.get(connection.number) is connection:
            del self._by_age[connection.number]

    def sweep(self) -> None:
        """Drop whoever has kept us waiting too long."""
        self.forget_closed()
        now = self.clock()
        for connection in list(self._by_age.values()):
            connection.unread_since = (connection.unread_since or now) if connection.is_unread else None
            if connection.transport is not None and connection.transport.is_closing():
                self.enter(connection, Phase.CLOSING)
        for connection in [each for each in self._by_age.values() if self._is_overdue(each, now)]:
            self._drop(connection)
        self._keep_few_unread()

    def held_up(self, connection: Connection) -> None:
        """Note a client that does not take its response as fast as we give it; drop the oldest of too many."""
        if connection.unread_since is None:
            connection.unread_since = self.clock()
            self._keep_few_unread()

    def drop_all(self) -> None:
        """End every connection at once."""
        for connection in list(self._by_age.values()):
            connection.drop()  # and keep it: whoever stops the server waits until the last is closed

    def forget_closed(self) -> None:
        """Leave out connections whose handshake failed."""
        for connection in [each for each in self._by_age.values() if each.is_closed]:
            self.forget(connection)

    def _keep_few_unread(self) -> None:
        # Not by age: a response that had to wait its turn is the newest all the same.
        unread = sorted((since, number) for number, each in self._by_age.items() if (since := each.unread_since))
        for _, number in unread[: -self.limits.unread]:
            if self._by_age[number].is_unread:  # it may have been read since
                self._drop(self._by_age[number])

    def _is_overdue(self, connection: Connection, now: float) -> bool:
        if connection.unread_since is not None and now - connection.unread_since >= self.limits.response:
            return True
        is_waiting = connection.phase in {Phase.REQUEST, Phase.CLOSING}
        return is_waiting and now - connection.since >= self.limits.request

    def _make_room(self) -> None:
        """Drop whoever has waited longest, sparing answers under way as long as there is anyone else."""
        self.forget_closed()
        by_age = self._by_age.values()
        idlers = (each for each in by_age if each.phase is not Phase.ANSWER and not each.is_unread)
        while len(self) >= self.limits.connections:
            self._drop(next(idlers, None) or next(iter(by_age)))

    @staticmethod
    def _end_where_due(connection: Connection) -> None:
        if connection.is_last and connection.phase is Phase.IDLE and connection.transport is not None:
            connection.transport.close()

    def _drop(self, connection: Connection) -> None:
        self.forget(connection)
        connection.drop()
