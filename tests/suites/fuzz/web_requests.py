"""A fuzz target for the web server."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

from exporter.web.server.server import WebServer

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

TIMEOUT = 15  # seconds
MAX_THREADS = 50


async def _application(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with 200 to every HTTP request."""
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


class WebRequests:
    """Bytes that are sent to the web server. It must respond or close the connection, and serve the next request."""

    seeds = (
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    )

    def __init__(self) -> None:
        self._server = WebServer(_application, ["127.0.0.1:0"])
        self._server.start()
        self._address = self._server.addresses[0][:2]

    def __call__(self, data: bytes) -> None:
        """Send the bytes, then a valid request on a new connection."""
        assert not self._exchange(data).startswith(b"HTTP/1.1 5")
        assert self._exchange(self.seeds[0]).startswith(b"HTTP/1.1 200")
        assert threading.active_count() < MAX_THREADS

    def _exchange(self, data: bytes) -> bytes:
        with socket.create_connection(self._address, timeout=TIMEOUT) as connection:
            response = b""
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    response += chunk
            except ConnectionError:
                pass  # the server closed the connection before it had read all bytes
            return response
