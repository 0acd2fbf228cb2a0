"""The compared servers. Each serves the same ASGI application until SIGTERM, and prints its port.

The exporter's own server has the configuration of the exporter. The other two have no code of the exporter, but
settings that are as close to the exporter's limits as possible.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import uvicorn

from benchmarks.servers.exposition import SIZES, SyntheticExposition
from exporter.web.application import AppServices, create_app
from exporter.web.server.connections import Limits
from exporter.web.server.server import WebServer
from exporter.web.web_config import WebConfigReloader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp

HOST = "127.0.0.1"
LIMITS = Limits()
REQUEST_SECONDS = int(LIMITS.request)
CERTIFICATE, KEY, WEB_CONFIG = "server.crt", "server.key", "web.yml"


class Options(NamedTuple):
    """The page that a server serves, and for TLS the folder with the certificate, the key and the web config."""

    page: str
    tls: Path | None


def make_app(page: str) -> ASGIApp:
    """Return the exporter's own application, with a synthetic page. Its status page must not be requested."""
    status_document = cast("Any", None)
    return create_app(AppServices(SyntheticExposition(SIZES[page]), status_document, lambda: None, lambda: None))


def report_port(port: int) -> None:
    """Report the port to the benchmark, which reads it from the standard output."""
    print(port, flush=True)


def serve_exporter(options: Options) -> None:
    """Serve with the exporter's server."""
    web_config = WebConfigReloader(options.tls / WEB_CONFIG) if options.tls else None
    context = web_config.ssl_context if web_config else None
    server = WebServer(make_app(options.page), [f"{HOST}:0"], ssl_context=context)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    server.start()
    report_port(server.addresses[0][1])
    stopping.wait()
    server.stop()


def serve_hypercorn(options: Options) -> None:
    """Serve with hypercorn."""
    config = importlib.import_module("hypercorn.config").Config()
    config.bind = [f"{HOST}:0"]
    if options.tls:
        config.certfile, config.keyfile = str(options.tls / CERTIFICATE), str(options.tls / KEY)
    # One setting is both the deadline for the head of a request and the time for which an idle connection is kept. The
    # exporter has a shorter limit for the first. This setting has that limit, to protect against slow clients.
    config.keep_alive_timeout = REQUEST_SECONDS
    config.ssl_handshake_timeout = REQUEST_SECONDS
    config.backlog = 1024  # like the exporter; the default is 100
    config.alpn_protocols = ["http/1.1"]
    config.graceful_timeout = 1
    config.include_server_header = False
    config.errorlog = None
    # hypercorn opens its sockets inside `serve`, and only its log has the port. A wrapper reads it from the socket.
    open_sockets = config.create_sockets

    def create_sockets() -> Any:  # noqa: ANN401 (hypercorn is not installed where types are checked)
        sockets = open_sockets()
        (listener,) = sockets.secure_sockets + sockets.insecure_sockets
        listener.listen()  # `serve` does it later, but clients may connect as soon as the port is reported
        report_port(listener.getsockname()[1])
        return sockets

    config.create_sockets = create_sockets
    serve = importlib.import_module("hypercorn.asyncio").serve
    asyncio.run(serve(make_app(options.page), config, mode="asgi"))


def serve_uvicorn(options: Options) -> None:
    """Serve with uvicorn and its h11 protocol, on which the exporter's server is based."""

    class ReportingServer(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:  # noqa: ANN401 (the interface of uvicorn)
            await super().startup(sockets)
            report_port(self.servers[0].sockets[0].getsockname()[1])

    config = uvicorn.Config(
        make_app(options.page),
        host=HOST,
        port=0,
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="critical",
        server_header=False,
        timeout_keep_alive=LIMITS.idle,
        timeout_graceful_shutdown=1,
        ssl_certfile=options.tls / CERTIFICATE if options.tls else None,
        ssl_keyfile=options.tls / KEY if options.tls else None,
    )
    ReportingServer(config).run()


CANDIDATES: dict[str, Callable[[Options], None]] = {
    "exporter": serve_exporter,
    "hypercorn": serve_hypercorn,
    "uvicorn": serve_uvicorn,
}
EXPORTER, HYPERCORN, UVICORN = CANDIDATES
