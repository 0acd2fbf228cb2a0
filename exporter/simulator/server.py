"""The simulated service on a loopback address, with a log of what was asked and faults on demand."""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

from exporter.simulator import faults
from exporter.simulator.api import Api
from exporter.simulator.clock import ScaledClock
from exporter.simulator.wire import Call, Request, Response, ServiceError, refuse

if TYPE_CHECKING:
    from exporter.simulator.clock import SimulatedClock
    from exporter.simulator.fleet import Fleet


@dataclass(frozen=True, slots=True)
class Logged:
    """One request that the service saw: what it asked, by whom, when (simulated and monotonic), and what came of it."""

    call: Call
    access_key: str
    at: float
    monotonic: float
    status: int
    fault: str | None
    user_agent: str


class SimulatedQBusiness:
    """A Q Business endpoint; use it as a context manager, or start and stop it."""

    def __init__(
        self,
        fleet: Fleet,
        clock: SimulatedClock | None = None,
        *,
        order: str = "newest",
        reading: str = "start",
        port: int = 0,
    ) -> None:
        self.clock = clock or ScaledClock()
        self.fleet = fleet
        self.faults = faults.Faults()
        self.api = Api(fleet, order, reading)
        self.requests: list[Logged] = []
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", port), _handler(self), bind_and_activate=True)
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
        self._server.shutdown()
        self._server.drop_connections()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        """Begin to serve."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def respond(self, request: Request) -> Response:
        """Answer a request as the service is now, faults included."""
        now = self.clock.now()
        call, fault = Call("Unknown"), None
        try:
            call = Call("STS") if request.method == "POST" else self.api.understand(request)
            fault = self.faults.take(call, now)
            response = self.api.handle(request, now)
        except ServiceError as error:
            response = refuse(error)
        if fault:
            response = faults.apply(fault, call, response)
        agent = request.headers.get("user-agent", "")
        logged = Logged(
            call, request.access_key, now, time.monotonic(), response.status, fault.kind if fault else None, agent
        )
        self.requests.append(logged)
        self._stopping.wait(response.delay)
        return response

    def asked(self, operation: str | None = None, data_source_id: str | None = None) -> list[Logged]:
        """Give the requests of an operation, for a data source."""
        return [
            logged
            for logged in list(self.requests)
            if operation in {None, logged.call.operation} and data_source_id in {None, logged.call.data_source_id}
        ]


class _Server(ThreadingHTTPServer):
    """A threaded server that can drop its open connections."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *args: object, **options: object) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args, **options)  # type: ignore[arg-type]  # handed through as they came

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: object) -> None:
        self._open.discard(request)
        super().shutdown_request(request)  # type: ignore[arg-type]  # the same

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are what half of the tests are about."""

    def drop_connections(self) -> None:
        for connection in list(self._open):
            connection.close()


def _handler(service: SimulatedQBusiness) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one piece: two would wait for each other's acknowledgement

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _serve(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(
                method=self.command,
                path=unquote(url.path),
                query=dict(parse_qsl(url.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length).decode(),
            )
            self._send(service.respond(request))

        def _send(self, response: Response) -> None:
            if response.resets:
                # Lingering for no time makes closing a reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            date = response.headers.get("Date", formatdate(service.clock.now(), usegmt=True))
            headers = {"x-amzn-RequestId": str(uuid4()), **response.headers, "Date": date}
            self.send_response_only(response.status)
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body[: len(response.body) - response.missing])
            self.wfile.flush()
            if response.missing:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 (http.server's names)

    return Handler
