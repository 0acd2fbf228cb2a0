"""The web server: uvicorn in a thread of its own, guarded against clients that stall."""

from __future__ import annotations

import asyncio
import resource
import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import structlog
import uvicorn

from exporter.errors import StartupError
from exporter.web.server.addresses import parse_address
from exporter.web.server.connections import Connections, Limits
from exporter.web.server.listener import listen
from exporter.web.server.protocol import TimeoutProtocol

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Sequence

    from starlette.types import ASGIApp

logger = structlog.get_logger()

MAX_HEAD_BYTES = 16 * 1024

# asyncio accepts so many before it reads from any. Few, so that a flood of connections neither takes every file
# descriptor, nor drives out a scrape that came amid it before its request is read.
ACCEPTS_AT_ONCE = 16
START_SECONDS = 10
ENOUGH_DESCRIPTORS = 65536


class WebServer:
    """Serve an ASGI application on several addresses, from a daemon thread with its own event loop."""

    def __init__(
        self,
        app: ASGIApp,
        addresses: Sequence[str],
        *,
        ssl_context: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._wanted = [parse_address(address) for address in addresses]
        self._connections = Connections(limits or Limits())
        self._server = _Server(_uvicorn_config(app, self._connections, ssl_context), self._connections)
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._listeners: Sequence[socket.socket] = ()
        self._addresses: list[tuple[str, int]] = []
        self.scheme = "https" if ssl_context else "http"

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Give the hosts and ports that are listened on, in the order they were asked for."""
        return list(self._addresses)

    def start(self) -> None:
        """Listen on every address and begin to serve; raise StartupError when that cannot be."""
        self._connections.limits = _within_descriptors(self._connections.limits)
        self._listeners = listen(self._wanted, self._connections.accepted)
        self._addresses = [listener.getsockname()[:2] for listener in self._listeners]
        self._thread.start()
        self._server.settled.wait(START_SECONDS)
        if not self.is_alive():
            raise StartupError("the web server did not start; the log has the reason")

    def renew_connections(self) -> None:
        """Let go of the connections that are open, as soon as each is answered; new ones find what applies now."""
        if (loop := self._server.loop) is not None:
            with suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(self._connections.renew)

    def stop(self, timeout: float = 2) -> None:
        """Stop serving; responses under way get a moment, stalled clients do not."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def is_alive(self) -> bool:
        """Tell whether it is serving."""
        return self._thread.is_alive() and self._server.started

    def _run(self) -> None:
        try:
            self._server.run(list(self._listeners))
        except BaseException:
            logger.exception("web server failed")
        finally:
            for listener in self._listeners:
                listener.close()
            self._server.settled.set()


class _Server(uvicorn.Server):
    """A uvicorn server that drops stalled clients, while it runs and when it stops."""

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._stalled = connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.settled.set()

    async def on_tick(self, counter: int) -> bool:
        if counter % 5 == 0:  # a tick is a tenth of a second
            self._stalled.sweep()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self._stalled.limits.stop, self._stalled.drop_all)
        await super().shutdown(sockets)
        self._stalled.drop_all()  # those still in their handshake, of which uvicorn does not know
        deadline = loop.time() + self._stalled.limits.stop
        while self._stalled and loop.time() < deadline:
            await asyncio.sleep(0.01)
            self._stalled.forget_closed()


def _uvicorn_config(
    app: ASGIApp,
    connections: Connections,
    ssl_context: ssl.SSLContext | None,
) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=cast("type[asyncio.Protocol]", partial(TimeoutProtocol, connections=connections)),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",  # its warnings tell of bad requests, which any port scanner sends
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=ACCEPTS_AT_ONCE,
        timeout_keep_alive=connections.limits.idle,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    config.load()
    config.ssl = ssl_context  # uvicorn would build its own, from files that it reads once
    return config


def _within_descriptors(limits: Limits) -> Limits:
    """Allow this process the file descriptors it may have, and leave half of them to everything else."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    half = ENOUGH_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft // 2
    return replace(limits, connections=min(limits.connections, half))
