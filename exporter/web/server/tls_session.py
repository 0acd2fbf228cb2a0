"""The TLS session of a connection, which holds little memory and whose handshake is limited like a request.

A session of asyncio allocates a read buffer of 256 KiB before the client has sent anything. The C library keeps blocks
of this size after their first release, so the memory would not return to the system. Requests are small, so a buffer
for one TLS record is sufficient. A session then costs about 90 KiB, most of it in OpenSSL.
"""

from __future__ import annotations

import asyncio
from asyncio.sslproto import SSLProtocol
from typing import TYPE_CHECKING, Any

from exporter.web.server.first_message import MAX_RECORD_BYTES

if TYPE_CHECKING:
    import ssl

    from exporter.web.server.connections import Connection, Connections


class TlsSession(SSLProtocol):
    """Decrypts and encrypts for the protocol of a connection, from the handshake to the end."""

    max_size = MAX_RECORD_BYTES

    def __init__(
        self, protocol: asyncio.Protocol, context: ssl.SSLContext, connections: Connections, connection: Connection
    ) -> None:
        no_waiter: Any = None  # allowed, although typeshed requires a future
        super().__init__(asyncio.get_running_loop(), protocol, context, no_waiter, server_side=True)
        self._connections = connections
        self._connection = connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP transports only
        """Start the handshake. The protocol starts after it."""
        self._connections.start_session(self._connection, transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the connection, even after a failed handshake, when asyncio does not notify the protocol."""
        if exc:
            exc.__traceback__ = None  # a frame in it refers to the error and to this session, which is a cycle
        super().connection_lost(exc)
        self._connections.remove(self._connection)
