"""Precedence of scrapes over status pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from exporter.status.cooperative import ScrapePriority


class ScrapePriorityMiddleware:
    """Delays status pages from the request of a scrape to the end of its response."""

    def __init__(self, app: ASGIApp, path: str, priority: ScrapePriority) -> None:
        """Pass on all requests; requests for `path` take precedence."""
        self._app = app
        self._path = path
        self._priority = priority

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if scope["type"] == "http" and scope["path"] == self._path:
            with self._priority.scrape():
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)
