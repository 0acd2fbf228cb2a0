"""The servers that are compared. Each serves the same ASGI application until SIGTERM.

`ours` is the exporter's own server, configured as the exporter configures it. The other two have only settings of their
own, chosen as close to the exporter's limits as their settings allow, and no code of ours.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import signal
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import uvicorn

from benchmarks.servers.exposition import SIZES, SyntheticExposition
from exporter.web.application import AppServices, create_app
from exporter.web.server.addresses import parse_address
from exporter.web.server.connections import Limits
from exporter.web.server.server import WebServer
from exporter.web.web_config import WebConfigReloader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp

LIMITS = Limits()
REQUEST_SECONDS = int(LIMITS.request)
WEB_CONFIG = "web.yml"


class Options(NamedTuple):
    """What a server is asked to do. `tls` is a folder with `server.crt`, `server.key` and `web.yml`."""

    page: str
    addresses: Sequence[str]
    tls: Path | None


def make_app(page: str) -> ASGIApp:
    """Return the exporter's own application, with a synthetic page. Its status page must not be requested."""
    status_document = cast("Any", None)
    return create_app(AppServices(SyntheticExposition(SIZES[page]), status_document, lambda: None, lambda: None))


def announce(ports: Sequence[int]) -> None:
    """Report the ports to the benchmark, which reads them from the standard output."""
    print(json.dumps(list(ports)), flush=True)


def serve_ours(options: Options) -> None:
    """Serve with the exporter's server."""
    web_config = WebConfigReloader(options.tls / WEB_CONFIG) if options.tls else None
    context = web_config.ssl_context if web_config else None
    server = WebServer(make_app(options.page), options.addresses, ssl_context=context)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    server.start()
    if web_config:
        web_config.watch(server.renew_connections, lambda: None, lambda: None)
    announce([port for _, port in server.addresses])
    stopping.wait()
    server.stop()


def serve_hypercorn(options: Options) -> None:
    """Serve with hypercorn."""
    config = importlib.import_module("hypercorn.config").Config()
    config.bind = options.addresses
    if options.tls:
        config.certfile, config.keyfile = str(options.tls / "server.crt"), str(options.tls / "server.key")
    # One setting is both the deadline for a request's head and the time that an idle connection is kept. The shorter
    # of the two demands is chosen, because it is the one that protects.
    config.keep_alive_timeout = REQUEST_SECONDS
    config.ssl_handshake_timeout = REQUEST_SECONDS
    config.backlog = 1024  # as the exporter's; 100 is the default
    config.alpn_protocols = ["http/1.1"]
    config.graceful_timeout = 1
    config.include_server_header = False
    config.errorlog = None
    # Its servers open their sockets inside `serve`, and only the log names the ports. A wrapper reads them.
    open_sockets = config.create_sockets

    def create_sockets() -> Any:  # noqa: ANN401 (hypercorn is not installed where types are checked)
        sockets = open_sockets()
        opened = sockets.secure_sockets + sockets.insecure_sockets
        for listener in opened:
            listener.listen()  # `serve` does it in a moment, and the ports are announced now
        announce([listener.getsockname()[1] for listener in opened])
        return sockets

    config.create_sockets = create_sockets
    serve = importlib.import_module("hypercorn.asyncio").serve
    asyncio.run(serve(make_app(options.page), config, mode="asgi"))


def serve_uvicorn(options: Options) -> None:
    """Serve with uvicorn and its h11 protocol."""

    class AnnouncingServer(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:  # noqa: ANN401 (uvicorn's)
            await super().startup(sockets)
            announce([listener.getsockname()[1] for server in self.servers for listener in server.sockets])

    (address,) = map(parse_address, options.addresses)  # uvicorn listens on one address
    config = uvicorn.Config(
        make_app(options.page),
        host=address.host,
        port=address.port,
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        timeout_keep_alive=LIMITS.idle,
        timeout_graceful_shutdown=1,
        ssl_certfile=options.tls / "server.crt" if options.tls else None,
        ssl_keyfile=options.tls / "server.key" if options.tls else None,
    )
    AnnouncingServer(config).run()


CONTENDERS: dict[str, Callable[[Options], None]] = {
    "ours": serve_ours,
    "hypercorn": serve_hypercorn,
    "uvicorn alone": serve_uvicorn,
}
OURS, HYPERCORN, UVICORN = CONTENDERS
