"""Requests with an absolute URL in their first line, which forward proxies and some load balancers send.

A server must accept `GET http://host/metrics HTTP/1.1`, and take the host from the URL instead of the Host header
(RFC 9112, section 3.2.2).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_ABSOLUTE = re.compile(rb"https?://(?P<host>[^/?#@]+)(?P<path>/.*)?", re.IGNORECASE | re.DOTALL)


class AbsoluteFormMiddleware:
    """Turns a request with an absolute URL into one with a path and a Host header."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if scope["type"] == "http" and (target := _ABSOLUTE.fullmatch(scope["raw_path"])):
            scope = _with_target(scope, target["host"], target["path"] or b"/")
        await self._app(scope, receive, send)


def _with_target(scope: Scope, host: bytes, raw_path: bytes) -> Scope:
    headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
    path = unquote(raw_path.decode("ascii"))
    return {**scope, "raw_path": raw_path, "path": path, "headers": [(b"host", host), *headers]}
