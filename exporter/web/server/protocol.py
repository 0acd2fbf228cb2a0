"""The HTTP/1.1 protocol of uvicorn, with time limits for clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from exporter.web.server.connections import Connection, Connections, Phase

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

BAD_REQUEST = {
    "Connection": "close",
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
}

# A response pauses while more bytes than this are unsent. It is asyncio's default, which is eight times larger with
# TLS.
WRITE_BUFFER_BYTES = 64 * 1024


class TimeoutProtocol(H11Protocol):
    """Reports the phase of each connection, so that connections that exceed a limit can be dropped."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 (the interface of uvicorn)
        connections: Connections,
        connection: Connection,
        malformed_request: Callable[[], object],
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **kwargs)
        self._malformed_request = malformed_request
        self._connections = connections
        self._connection = connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start after the handshake."""
        self._connections.attach(self._connection, transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection."""
        self._connections.remove(self._connection)
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()  # after a reset, uvicorn keeps it, and with it the TLS session

    def data_received(self, data: bytes) -> None:
        """Process a piece of a request."""
        super().data_received(data)
        self._report_phase()

    def on_response_complete(self) -> None:
        """Continue with the next request."""
        super().on_response_complete()
        self._report_phase()

    def pause_writing(self) -> None:
        """Pause a response that the client reads too slowly."""
        super().pause_writing()
        self._connections.mark_unread(self._connection)

    def send_400_response(self, msg: str) -> None:
        """Reject data that is not HTTP, unless a response was sent in part."""
        self._malformed_request()
        if self.conn.our_state is not h11.IDLE:
            self.cycle.disconnected = True  # so that uvicorn ignores further output of the application
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            for event in (
                h11.Response(status_code=400, headers=list(BAD_REQUEST.items())),
                h11.Data(msg.encode()),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _report_phase(self) -> None:
        self._connections.set_phase(self._connection, self._phase())

    def _phase(self) -> Phase:
        partial_head, _ = self.conn.trailing_data
        if self.conn.their_state is h11.SEND_BODY or (self.conn.their_state is h11.IDLE and partial_head):
            return Phase.REQUEST
        return Phase.RESPONSE if self.conn.our_state in {h11.SEND_RESPONSE, h11.SEND_BODY} else Phase.IDLE
