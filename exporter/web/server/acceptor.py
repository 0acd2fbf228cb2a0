"""Accepts connections. Until its first message has arrived completely, a client costs only a socket.

The invariant: whatever clients send or do not send, at most `Limits.tls_sessions` of them hold the memory of a TLS
session. Each of the others holds a socket, a task, and the bytes that the kernel has received from it.

So the first message stays in the kernel until it is complete. With TLS, this is the record with the ClientHello, whose
header has its length. Example: 1,500 clients connect. One third of them send nothing, one third send one byte, and one
third send half a ClientHello. No session starts. A client that sends a whole ClientHello makes the server compute a key
exchange, so new sessions replace older ones no faster than the CPU allows: a scrape completes before a hundred others
have started.
"""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import structlog

from exporter.web.server.first_message import wait_for_first_byte, wait_for_first_record

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from exporter.web.server.connections import Connection, Connections

logger = structlog.get_logger()

# The number of connections that are accepted in a row before any of them is served. It is small, so that many new
# connections neither use up the file descriptors nor replace the connection of a scrape before it is served.
MAX_ACCEPTS = 16
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
RETRY_SECONDS = 1


class Acceptor:
    """Accepts connections from a listening socket, and starts the protocol of each after its first message."""

    def __init__(
        self,
        listener: socket.socket,
        connections: Connections,
        create_protocol: Callable[[Connection], asyncio.BaseProtocol],
        *,
        tls: bool,
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._create_protocol = create_protocol
        self._wait_for_message = wait_for_first_record if tls else wait_for_first_byte
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._start()

    def close(self) -> None:
        """Stop accepting connections. Those that were accepted stay open."""
        self._loop.remove_reader(self._listener)
        if self._retry is not None:
            self._retry.cancel()

    def _start(self) -> None:
        self._listener.setblocking(False)  # noqa: FBT003 (the interface of socket)
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(MAX_ACCEPTS):
            try:
                accepted, _address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    raise
                self._pause(error)
                return
            self._open(accepted)

    def _pause(self, error: OSError) -> None:
        """Wait before the next attempt, because the listening socket stays readable, which would use all of the CPU."""
        logger.warning("cannot accept connections", error=error.strerror, retry_seconds=RETRY_SECONDS)
        self._loop.remove_reader(self._listener)
        self._retry = self._loop.call_later(RETRY_SECONDS, self._start)

    def _open(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)  # noqa: FBT003 (the interface of socket)
        connection = self._connections.add(accepted)
        connection.opening = self._loop.create_task(self._start_protocol(connection))
        # This is a callback, because a task that is cancelled before its first step does not run at all.
        connection.opening.add_done_callback(partial(self._discard_failed, connection))

    async def _start_protocol(self, connection: Connection) -> bool:
        """Start the protocol of a connection; return False if the client ends the connection first."""
        with suppress(OSError):
            await self._wait_for_message(connection.socket)
            protocol = self._create_protocol(connection)
            await self._loop.connect_accepted_socket(lambda: protocol, connection.socket)
            return True
        return False

    def _discard_failed(self, connection: Connection, opening: asyncio.Task[bool]) -> None:
        connection.opening = None  # a cancelled task refers to its frames, which refer to the connection
        if opening.cancelled() or not opening.result():
            self._connections.remove(connection)
            connection.socket.close()
