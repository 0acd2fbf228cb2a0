"""Counts and durations of requests, including those that are refused before they reach an endpoint."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OTHER = "other"
"""The handler of invalid requests and of requests to unknown paths, whose paths do not become label values."""


class HttpObserver(Protocol):
    """Receives each request."""

    def add_handlers(self, handlers: Iterable[str]) -> None:
        """Receive the names of the handlers, before any request."""

    def count(self, handler: str, code: int) -> None:
        """Receive a request that has no duration."""

    def observe(self, handler: str, code: int, seconds: float) -> None:
        """Receive a request with the status code of its response."""


class NoObserver:
    """Ignores all requests."""

    def add_handlers(self, handlers: Iterable[str]) -> None:
        """Ignore the names."""

    def count(self, handler: str, code: int) -> None:
        """Ignore the request."""

    def observe(self, handler: str, code: int, seconds: float) -> None:
        """Ignore the request."""


class RequestMetricsMiddleware:
    """Reports each response to an observer."""

    def __init__(
        self,
        app: ASGIApp,
        handler_of: Callable[[str], str],
        observer: HttpObserver,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Report requests to an observer; `handler_of` returns the handler of a path."""
        self._app = app
        self._handler_of = handler_of
        self._observer = observer
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, codes = self._clock(), list[int]()

        async def record(message: Message) -> None:
            if message["type"] == "http.response.start":
                codes.append(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, record)
        finally:
            for code in codes:  # there is none if the client was dropped before the response
                self._observer.observe(self._handler_of(scope["path"]), code, self._clock() - started)
