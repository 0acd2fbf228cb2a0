"""A simulated service on a loopback address, over HTTP or TLS."""

from __future__ import annotations

import socket
import struct
import threading
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from exporter.simulator.qbusiness import QBusinessApi
from exporter.simulator.service import SimulatedService
from exporter.simulator.wire import Request, Response

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from exporter.simulator.clock import SimulatedClock
    from exporter.simulator.fleet import Fleet
    from exporter.simulator.service import ServiceApi

ENDLESS_LENGTH = 10**15  # the Content-Length of a body that never ends
FILLER = b" " * 65536


class SimulatedEndpoint(SimulatedService):
    """An endpoint of a simulated service, by default Amazon Q Business. It is also a context manager."""

    def __init__(
        self,
        fleet: Fleet,
        clock: SimulatedClock | None = None,
        make_api: Callable[..., ServiceApi] = QBusinessApi,
        *,
        port: int = 0,
        **listing: str,
    ) -> None:
        super().__init__(fleet, clock, make_api, **listing)
        self.tls: ssl.SSLContext | None = None  # tests may set it at any time; new connections then use TLS
        self._stopping = threading.Event()
        handler = type("Handler", (_Handler,), {"service": self})
        self._server = _LoopbackServer(("127.0.0.1", port), handler, bind_and_activate=True)
        self._server.service = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="simulator", daemon=True)

    @property
    def url(self) -> str:
        """Return the endpoint's URL."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Start serving."""
        self._thread.start()

    def stop(self) -> None:
        """Stop immediately, and abandon requests in progress."""
        self._stopping.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.drop_connections()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Start serving."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def drop_connections(self) -> None:
        """Close every open connection. New connections are still accepted."""
        self._server.drop_connections()

    def wait(self, seconds: float) -> bool:
        """Delay a response; return whether it may still be sent."""
        return not self._stopping.wait(seconds) if seconds else not self._stopping.is_set()


class _LoopbackServer(ThreadingHTTPServer):
    """A threaded server that can close its open connections."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    service: SimulatedEndpoint | None = None

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], **options: bool) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler, **options)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        if self.service and self.service.tls:
            # The thread that reads from the connection performs the handshake.
            connection = self.service.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        self._open.discard(request) if isinstance(request, socket.socket) else None
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: many tests disconnect clients on purpose."""

    def drop_connections(self) -> None:
        """Close every open connection."""
        for connection in list(self._open):
            try:
                # close() alone neither wakes a thread that reads from the socket nor informs the client.
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client closed it first


class _Handler(BaseHTTPRequestHandler):
    """Sends the service's responses, or fails to send them in the way that the response specifies."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: SimulatedEndpoint

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request.parse(self.command, self.path, headers, self.rfile.read(length))
        response = self.service.respond(request)
        if self.service.wait(response.delay):
            self._send(response)
        else:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 (http.server's names)

    def _send(self, response: Response) -> None:
        self.close_connection |= response.is_reset or response.missing_bytes > 0 or response.is_endless
        if not response.is_reset or response.missing_bytes:
            content = _head(response) + response.body[: len(response.body) - response.missing_bytes]
            if response.byte_interval:
                self._drip(content, response.byte_interval)
            else:
                # There is only one write, because a second one would wait for the acknowledgement of the first.
                self.wfile.write(content)
        while response.is_endless and self.service.wait(0):
            self.wfile.write(FILLER)
        if response.is_reset:
            # With a linger time of zero, close() sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _drip(self, content: bytes, seconds: float) -> None:
        for byte in content:
            if not self.service.wait(seconds):
                return
            self.wfile.write(bytes([byte]))


def _head(response: Response) -> bytes:
    length = ENDLESS_LENGTH if response.is_endless else len(response.body)
    headers = {**response.headers, "Content-Length": str(length)}
    lines = [f"HTTP/1.1 {response.status} {responses.get(response.status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
