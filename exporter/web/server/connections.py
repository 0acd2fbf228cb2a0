"""The open connections, the time for which each has waited, and the rules by which they are dropped.

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
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with a timeout of zero


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits in seconds, and numbers of connections."""

    request: float = 10  # for the handshake and the whole request, and for the end of a connection
    response: float = 25  # until the client has read a response; checked every half second, so well within 30
    idle: int = 75  # between requests; longer than usual scrape intervals, so that Prometheus need not reconnect
    stop: float = 0.5  # for responses in progress when the server stops
    connections: int = 500
    tls_sessions: int = 100  # each of them holds memory (`exporter.web.server.acceptor`)
    unread: int = 64  # responses that clients do not read; each of them holds memory (`exporter.web.responses`)


class Phase(Enum):
    """The phase of a connection: the event for which the server waits."""

    REQUEST = auto()  # for the client to complete the handshake or the request
    RESPONSE = auto()  # for the application
    IDLE = auto()  # for the next request, if there is one
    CLOSING = auto()  # for the client to confirm the end of a TLS connection


@dataclass(slots=True, eq=False)
class Connection:
    """An accepted socket, the task that waits for its first message, and its transport after that."""

    socket: socket.socket
    phase_since: float
    phase: Phase = Phase.REQUEST
    unread_since: float | None = None
    opening: asyncio.Task[bool] | None = None
    has_session: bool = False
    transport: asyncio.Transport | None = None
    closes_when_idle: bool = False

    @property
    def is_unread(self) -> bool:
        """Whether the client has not read everything that the server sent."""
        if self.transport is not None and self.transport.get_write_buffer_size() > 0:
            return True
        with suppress(OSError, ValueError):
            # The transport's buffer is also empty if the kernel's buffer holds the rest of the response.
            return any(fcntl.ioctl(self.socket.fileno(), termios.TIOCOUTQ, bytes(4)))
        return False

    def drop(self) -> None:
        """End the connection with a reset, because the kernel would otherwise keep the unread bytes for minutes."""
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        if self.transport is not None:
            self.transport.abort()
        elif self.opening is not None:
            self.opening.cancel()  # and the acceptor closes the socket


@dataclass(slots=True)
class Connections:
    """The open connections in the order of their last change of phase. For the thread of the event loop only."""

    limits: Limits
    clock: Callable[[], float] = time.monotonic
    _by_age: OrderedDict[Connection, None] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._by_age)

    def add(self, accepted: socket.socket) -> Connection:
        """Add a new connection, which replaces another one if there are too many."""
        self._make_room(list(self._by_age), self.limits.connections)
        connection = Connection(accepted, self.clock())
        self._by_age[connection] = None
        return connection

    def attach(self, connection: Connection, transport: asyncio.Transport) -> None:
        """Attach a transport to its connection; abort it if the connection was dropped."""
        connection.transport = transport
        if connection not in self._by_age:
            transport.abort()

    def start_session(self, connection: Connection, transport: asyncio.Transport) -> None:
        """Attach the transport of a TLS session, which replaces another one if there are too many."""
        self._make_room([each for each in self._by_age if each.has_session], self.limits.tls_sessions)
        connection.has_session = True
        self.attach(connection, transport)

    def set_phase(self, connection: Connection, phase: Phase) -> None:
        """Set the phase of a connection. Its time starts over only if the phase changes."""
        if connection.phase is not phase and connection in self._by_age:
            connection.phase, connection.phase_since = phase, self.clock()
            self._by_age.move_to_end(connection)
            self._close_if_due(connection)

    def close_when_idle(self) -> None:
        """Close each current connection as soon as it is idle, because it was accepted with outdated settings."""
        for connection in list(self._by_age):
            connection.closes_when_idle = True
            self._close_if_due(connection)

    def remove(self, connection: Connection) -> None:
        """Remove a connection that has ended."""
        self._by_age.pop(connection, None)
        connection.transport = None  # it refers to the TLS session, which refers to the connection

    def sweep(self) -> None:
        """Drop connections that exceed a time limit, and the oldest unread responses if there are too many."""
        now = self.clock()
        for connection in list(self._by_age):
            connection.unread_since = (connection.unread_since or now) if connection.is_unread else None
            if connection.transport is not None and connection.transport.is_closing():
                self.set_phase(connection, Phase.CLOSING)
        for connection in [each for each in self._by_age if self._is_overdue(each, now)]:
            self._drop(connection)
        self._limit_unread()

    def mark_unread(self, connection: Connection) -> None:
        """Record that a client reads its response too slowly, and drop the oldest such client if there are too many."""
        if connection.unread_since is None:
            connection.unread_since = self.clock()
            self._limit_unread()

    def drop_all(self) -> None:
        """Drop all connections, without removing them: `len` returns the number of those that are not closed yet."""
        for connection in list(self._by_age):
            connection.drop()

    def _limit_unread(self) -> None:
        # The order is by the start of the unread response, and not by the age of the phase, because a response that
        # waited for its rendering belongs to an old request, but is new.
        unread = [(since, each) for each in self._by_age if (since := each.unread_since)]
        unread.sort(key=itemgetter(0))
        for _, connection in unread[: -self.limits.unread]:
            if connection.is_unread:  # the client may have read it since then
                self._drop(connection)

    def _is_overdue(self, connection: Connection, now: float) -> bool:
        if connection.unread_since is not None and now - connection.unread_since >= self.limits.response:
            return True
        waits_for_client = connection.phase in {Phase.REQUEST, Phase.CLOSING}
        return waits_for_client and now - connection.phase_since >= self.limits.request

    def _make_room(self, members: Sequence[Connection], limit: int) -> None:
        """Make room for one more among these connections, which are ordered by age.

        The connection that has waited longest is dropped, if possible one without a response in progress.
        """
        if len(members) >= limit:
            waiting = (each for each in members if each.phase is not Phase.RESPONSE and not each.is_unread)
            self._drop(next(waiting, members[0]))

    @staticmethod
    def _close_if_due(connection: Connection) -> None:
        if connection.closes_when_idle and connection.phase is Phase.IDLE and connection.transport is not None:
            connection.transport.close()

    def _drop(self, connection: Connection) -> None:
        del self._by_age[connection]
        connection.drop()
