"""uvicorn's HTTP/1.1 protocol, with an eye on clients that stall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from exporter.web.server.connections import Connection, Connections, Phase

if TYPE_CHECKING:
    import asyncio

BAD_REQUEST = {
    "Connection": "close",
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
}


class TimeoutProtocol(H11Protocol):
    """Report what each connection waits for, so that those which wait too long can be dropped."""

    def __init__(self, *args: Any, connections: Connections, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's business
        super().__init__(*args, **kwargs)
        self._connections = connections
        self._connection: Connection | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin once the handshake is done."""
        self._connection = self._connections.adopt(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, for whatever reason."""
        if self._connection is not None:
            self._connections.forget(self._connection)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in a piece of a request."""
        super().data_received(data)
        self._report_phase()

    def on_response_complete(self) -> None:
        """Turn to the next request."""
        super().on_response_complete()
        self._report_phase()

    def pause_writing(self) -> None:
        """Hold a response that the client does not take as fast as we give it."""
        super().pause_writing()
        if self._connection is not None:
            self._connections.held_up(self._connection)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in so far as no answer is under way already."""
        if self.conn.our_state is not h11.IDLE:
            self.cycle.disconnected = True  # the application may go on answering; nobody listens any more
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            for event in (
                h11.Response(status_code=400, headers=list(BAD_REQUEST.items())),
                h11.Data(msg.encode()),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _report_phase(self) -> None:
        if self._connection is not None:
            self._connections.enter(self._connection, self._phase())

    def _phase(self) -> Phase:
        half_a_head, _ = self.conn.trailing_data
        if self.conn.their_state is h11.SEND_BODY or (self.conn.their_state is h11.IDLE and half_a_head):
            return Phase.REQUEST
        return Phase.ANSWER if self.conn.our_state in {h11.SEND_RESPONSE, h11.SEND_BODY} else Phase.IDLE
