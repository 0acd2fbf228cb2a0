"""The web server: uvicorn in its own thread, with limits for clients that stall."""

from __future__ import annotations

import asyncio
import resource
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
import uvicorn

from exporter.errors import StartupError
from exporter.web.middleware import MAX_HEAD_BYTES
from exporter.web.server.acceptor import Acceptor
from exporter.web.server.addresses import parse_address
from exporter.web.server.connections import Connection, Connections, Limits
from exporter.web.server.listener import listen
from exporter.web.server.protocol import TimeoutProtocol
from exporter.web.server.tls_session import TlsSession

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp

logger = structlog.get_logger()

START_TIMEOUT = 10  # seconds
MAX_DESCRIPTORS = 65536


class WebServer:
    """Serves an ASGI application on several addresses, in a daemon thread with its own event loop."""

    def __init__(
        self,
        app: ASGIApp,
        addresses: Sequence[str | socket.socket],
        *,
        ssl_context: ssl.SSLContext | None = None,
        limits: Limits | None = None,
        malformed_request: Callable[[], object] = lambda: None,
    ) -> None:
        """Parse the addresses; sockets among them are listening already. Invalid HTTP calls `malformed_request`."""
        self._requested = [parse_address(each) if isinstance(each, str) else each for each in addresses]
        self._connections = Connections(limits or Limits())
        config = _uvicorn_config(app, self._connections)
        self._server = _TimeoutServer(config, self._connections, ssl_context, malformed_request)
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._listeners: Sequence[socket.socket] = ()
        self._addresses: list[tuple[str, int]] = []
        self.scheme = "https" if ssl_context else "http"

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The hosts and ports that the server listens on, in the order of the flags."""
        return list(self._addresses)

    def start(self) -> None:
        """Listen on all addresses and start to serve; raise StartupError if that fails."""
        self._connections.limits = _within_descriptors(self._connections.limits)
        self._listeners = listen(self._requested)
        self._addresses = [listener.getsockname()[:2] for listener in self._listeners]
        self._thread.start()
        self._server.startup_done.wait(START_TIMEOUT)
        if not self.is_alive():
            raise StartupError("the web server did not start; the log has the reason")

    def renew_connections(self) -> None:
        """Close each open connection after its current response, so that clients reconnect with the new settings."""
        if (loop := self._server.loop) is not None:
            with suppress(RuntimeError):  # the event loop has ended
                loop.call_soon_threadsafe(self._connections.close_when_idle)

    def stop(self, timeout: float = 2) -> None:
        """Stop serving. Responses in progress have half a second to end; stalled clients are dropped."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def is_alive(self) -> bool:
        """Return whether the server is serving."""
        return self._thread.is_alive() and self._server.started

    def _run(self) -> None:
        try:
            self._server.run(list(self._listeners))
        except BaseException:
            logger.exception("web server failed")
        finally:
            for listener in self._listeners:
                listener.close()
            self._server.startup_done.set()


class _TimeoutServer(uvicorn.Server):
    """A uvicorn server with its own acceptor, which drops stalled clients while it runs and when it stops."""

    def __init__(
        self,
        config: uvicorn.Config,
        connections: Connections,
        ssl_context: ssl.SSLContext | None,
        malformed_request: Callable[[], object],
    ) -> None:
        super().__init__(config)
        self.startup_done = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._connections = connections
        self._ssl_context = ssl_context
        self._malformed_request = malformed_request
        self._acceptors: list[Acceptor] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets=[])  # uvicorn would start TLS for a client that has sent nothing
        self._acceptors = [self._acceptor(listener) for listener in sockets or ()]
        self.startup_done.set()

    async def on_tick(self, counter: int) -> bool:
        if counter % 5 == 0:  # every half second: uvicorn has ten ticks per second
            self._connections.sweep()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        loop = asyncio.get_running_loop()
        loop.call_later(self._connections.limits.stop, self._connections.drop_all)
        await super().shutdown(sockets)
        self._connections.drop_all()  # including connections in their handshake, which uvicorn does not know
        deadline = loop.time() + self._connections.limits.stop
        while self._connections and loop.time() < deadline:  # noqa: ASYNC110 (a stop happens once)
            await asyncio.sleep(0.01)

    def _acceptor(self, listener: socket.socket) -> Acceptor:
        return Acceptor(listener, self._connections, self._create_protocol, tls=self._ssl_context is not None)

    def _create_protocol(self, connection: Connection) -> asyncio.BaseProtocol:
        http = TimeoutProtocol(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            connections=self._connections,
            connection=connection,
            malformed_request=self._malformed_request,
        )
        if self._ssl_context is None:
            return http
        return TlsSession(http, self._ssl_context, self._connections, connection)


def _uvicorn_config(app: ASGIApp, connections: Connections) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=TimeoutProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",  # it warns about bad requests, which any port scanner sends
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=connections.limits.idle,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    config.load()
    return config


def _within_descriptors(limits: Limits) -> Limits:
    """Raise the limit of file descriptors, and return limits that use at most half of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < target:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
            soft = target
    half = MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft // 2
    return replace(limits, connections=min(limits.connections, half))
