"""The open connections, the time for which each has waited, and which of them are dropped.

Clients that stall must not prevent scrapes. So each phase of a connection has a time limit, and when the number of
connections is at its limit, a new one replaces the one that has waited longest.
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

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with a timeout of zero


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits in seconds, and numbers of connections."""

    request: float = 10  # for the handshake and the whole request, and for the end of a connection
    response: float = 25  # until the client has read a response; checked every half second, so well within 30
    idle: int = 75  # between requests: longer than usual scrape intervals, so that Prometheus need not reconnect
    stop: float = 0.5  # for responses in progress when the server stops
    connections: int = 500
    unread: int = 64  # responses that clients do not read: each of them holds memory (`exporter.web.responses`)


class Phase(Enum):
    """A phase of a connection, by what the server waits for."""

    REQUEST = auto()  # for the client to complete the handshake or the request
    RESPONSE = auto()  # for the application
    IDLE = auto()  # for the next request, if there is one
    CLOSING = auto()  # for the client to confirm the end of a TLS connection


@dataclass(slots=True, eq=False)
class Connection:
    """An accepted socket, and its transport after the handshake."""

    socket: socket.socket
    phase_since: float
    descriptor: int
    phase: Phase = Phase.REQUEST
    unread_since: float | None = None
    transport: asyncio.Transport | None = None
    closes_when_idle: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether the socket is closed. After a failed handshake, no protocol is notified of that."""
        return self.socket.fileno() < 0

    @property
    def is_unread(self) -> bool:
        """Whether the client has not read everything that the server sent."""
        if self.transport is not None and self.transport.get_write_buffer_size() > 0:
            return True
        with suppress(OSError, ValueError):
            # The buffer of the kernel may hold a complete response, and then that of the transport is empty.
            return any(fcntl.ioctl(self.socket.fileno(), termios.TIOCOUTQ, bytes(4)))
        return False

    def drop(self) -> None:
        """End the connection with a reset: otherwise the kernel would keep the unread bytes for minutes."""
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        if self.transport is not None:
            self.transport.abort()
        else:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)  # the event loop owns the socket, and closes it after this


@dataclass(slots=True)
class Connections:
    """The open connections in the order of their last change of phase. For the thread of the event loop only."""

    limits: Limits
    clock: Callable[[], float] = time.monotonic
    _by_age: OrderedDict[int, Connection] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._by_age)

    def add(self, accepted: socket.socket) -> Connection:
        """Add a new connection, which replaces another one if there are too many."""
        if len(self) >= self.limits.connections:
            self._make_room()
        connection = Connection(accepted, self.clock(), accepted.fileno())
        self._by_age[connection.descriptor] = connection
        return connection

    def attach(self, transport: asyncio.Transport) -> Connection | None:
        """Attach a transport to its connection after the handshake; return None if the connection was dropped."""
        connection = self._by_age.get(transport.get_extra_info("socket").fileno())
        if connection is None:
            transport.abort()
        else:
            connection.transport = transport
        return connection

    def set_phase(self, connection: Connection, phase: Phase) -> None:
        """Set the phase of a connection. Its time starts over only if the phase changes."""
        if connection.phase is not phase and connection.descriptor in self._by_age:
            connection.phase, connection.phase_since = phase, self.clock()
            self._by_age.move_to_end(connection.descriptor)
            self._close_if_due(connection)

    def close_when_idle(self) -> None:
        """Close each present connection as soon as it is idle: it was accepted with settings that have changed."""
        for connection in list(self._by_age.values()):
            connection.closes_when_idle = True
            self._close_if_due(connection)

    def remove(self, connection: Connection) -> None:
        """Remove a connection that has ended."""
        if self._by_age.get(connection.descriptor) is connection:
            del self._by_age[connection.descriptor]

    def sweep(self) -> None:
        """Drop the connections that exceed a time limit, and the oldest unread responses beyond their number."""
        self.remove_closed()
        now = self.clock()
        for connection in list(self._by_age.values()):
            connection.unread_since = (connection.unread_since or now) if connection.is_unread else None
            if connection.transport is not None and connection.transport.is_closing():
                self.set_phase(connection, Phase.CLOSING)
        for connection in [each for each in self._by_age.values() if self._is_overdue(each, now)]:
            self._drop(connection)
        self._limit_unread()

    def mark_unread(self, connection: Connection) -> None:
        """Record that a client reads its response too slowly, and drop the oldest such client of too many."""
        if connection.unread_since is None:
            connection.unread_since = self.clock()
            self._limit_unread()

    def drop_all(self) -> None:
        """Drop all connections, without removing them: `len` reports those that are not closed yet."""
        for connection in list(self._by_age.values()):
            connection.drop()

    def remove_closed(self) -> None:
        """Remove connections whose handshake failed."""
        for connection in [each for each in self._by_age.values() if each.is_closed]:
            self.remove(connection)

    def _limit_unread(self) -> None:
        # By the start of the unread response, and not by age in the phase: a response that waited for its rendering
        # belongs to an old request, but is new.
        unread = sorted((since, number) for number, each in self._by_age.items() if (since := each.unread_since))
        for _, number in unread[: -self.limits.unread]:
            if self._by_age[number].is_unread:  # the client may have read it since
                self._drop(self._by_age[number])

    def _is_overdue(self, connection: Connection, now: float) -> bool:
        if connection.unread_since is not None and now - connection.unread_since >= self.limits.response:
            return True
        waits_for_client = connection.phase in {Phase.REQUEST, Phase.CLOSING}
        return waits_for_client and now - connection.phase_since >= self.limits.request

    def _make_room(self) -> None:
        """Drop the connection that has waited longest, if possible one without a response in progress."""
        self.remove_closed()
        by_age = self._by_age.values()
        candidates = (each for each in by_age if each.phase is not Phase.RESPONSE and not each.is_unread)
        while len(self) >= self.limits.connections:
            self._drop(next(candidates, None) or next(iter(by_age)))

    @staticmethod
    def _close_if_due(connection: Connection) -> None:
        if connection.closes_when_idle and connection.phase is Phase.IDLE and connection.transport is not None:
            connection.transport.close()

    def _drop(self, connection: Connection) -> None:
        self.remove(connection)
        connection.drop()
