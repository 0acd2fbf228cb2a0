"""Accepting connections when the host has no file descriptor left."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

from structlog.testing import capture_logs

from exporter.web.server.acceptor import Acceptor
from exporter.web.server.connections import Connections, Limits
from tests.support.harness import TIMEOUT


class ExhaustedListener(socket.socket):
    """A listening socket whose first `accept` finds no free file descriptor."""

    attempts = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """Fail the first time, and accept a connection after that."""
        self.attempts += 1
        if self.attempts == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


class ClosingProtocol(asyncio.Protocol):
    """A protocol that closes the connection at the first data, and sets an event when it is closed."""

    def __init__(self, closed: asyncio.Event) -> None:
        self._closed = closed

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP transports only
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 (the interface of asyncio)
        """Close the connection."""
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the interface of asyncio)
        """Set the event."""
        self._closed.set()


def test_connections_are_accepted_again_after_descriptors_were_exhausted() -> None:
    """The acceptor logs a warning and pauses: the listening socket stays readable, which would use all of the CPU."""

    async def test(listener: ExhaustedListener, client: socket.socket) -> None:
        closed = asyncio.Event()
        acceptor = Acceptor(listener, Connections(Limits()), lambda _: ClosingProtocol(closed), tls=False)
        client.sendall(b"x")
        await asyncio.wait_for(closed.wait(), TIMEOUT)
        acceptor.close()

    with capture_logs() as logs, ExhaustedListener(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client:
            asyncio.run(test(listener, client))
        attempts = listener.attempts
    assert [each["event"] for each in logs] == ["cannot accept connections"]
    assert attempts == 3  # one that failed, one that accepted the client, one that found no other
