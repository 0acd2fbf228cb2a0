"""The simulated service on a loopback address."""

from __future__ import annotations

import socket
import struct
import threading
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from exporter.simulator.service import Logged, Service
from exporter.simulator.wire import Request, Response

if TYPE_CHECKING:
    import ssl

    from exporter.simulator.clock import SimulatedClock
    from exporter.simulator.fleet import Fleet

__all__ = ["Logged", "SimulatedQBusiness"]

FOR_EVER = 10**15  # bytes of a body that does not end
MORE = b" " * 65536


class SimulatedQBusiness(Service):
    """A Q Business endpoint; use it as a context manager, or start and stop it."""

    def __init__(self, fleet: Fleet, clock: SimulatedClock | None = None, *, port: int = 0, **unpromised: str) -> None:
        super().__init__(fleet, clock, **unpromised)
        self.tls: ssl.SSLContext | None = None  # may change; with it connections begin with a handshake
        self._stopping = threading.Event()
        handler = type("Handler", (_Handler,), {"service": self})
        self._server = _Server(("127.0.0.1", port), handler, bind_and_activate=True)
        self._server.service = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="simulator", daemon=True)

    @property
    def url(self) -> str:
        """Give the endpoint."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stop at once, whatever is still waiting for an answer."""
        self._stopping.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.drop_connections()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Begin to serve."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def drop_connections(self) -> None:
        """Drop every connection that is open; others may be made."""
        self._server.drop_connections()

    def wait(self, seconds: float) -> bool:
        """Let an answer be late; tell whether it may still be sent."""
        return not self._stopping.wait(seconds) if seconds else not self._stopping.is_set()


class _Server(ThreadingHTTPServer):
    """A threaded server that can drop its open connections."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    service: SimulatedQBusiness | None = None

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], **options: bool) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler, **options)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        if self.service and self.service.tls:
            # The handshake is left to the thread that reads from it.
            connection = self.service.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        self._open.discard(request) if isinstance(request, socket.socket) else None
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are what half of the tests are about."""

    def drop_connections(self) -> None:
        """Drop every connection that is open."""
        for connection in list(self._open):
            try:
                # Closing alone wakes no thread that reads from it, and tells the client nothing.
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was first


class _Handler(BaseHTTPRequestHandler):
    """Sends what the service answers, or fails to as it is told."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: SimulatedQBusiness

    def log_message(self, *_: object) -> None:
        """Say nothing."""

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
        self.close_connection |= response.resets or response.missing > 0 or response.endless
        if not response.resets or response.missing:
            answer = _head(response) + response.body[: len(response.body) - response.missing]
            if response.drips:
                self._drip(answer, response.drips)
            else:
                # In one piece: two would wait for each other's acknowledgement.
                self.wfile.write(answer)
        while response.endless and self.service.wait(0):
            self.wfile.write(MORE)
        if response.resets:
            # Lingering for no time makes closing a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _drip(self, answer: bytes, seconds: float) -> None:
        for byte in answer:
            if not self.service.wait(seconds):
                return
            self.wfile.write(bytes([byte]))


def _head(response: Response) -> bytes:
    length = FOR_EVER if response.endless else len(response.body)
    headers = {**response.headers, "Content-Length": str(length)}
    lines = [f"HTTP/1.1 {response.status} {responses.get(response.status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
