"""Rules for all responses: limits for requests, common headers, and a short text in place of a traceback."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = structlog.get_logger()

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 4096  # no endpoint reads a body, but curl and browsers may send a small one
CONTENT_SECURITY_POLICY = "Content-Security-Policy"


class HasHeaders(Protocol):
    """The current headers of the web config."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers to add to every response."""


class SecurityMiddleware:
    """Rejects large requests, forbids content sniffing, adds headers, and keeps tracebacks in the log."""

    def __init__(self, app: ASGIApp, web_config: HasHeaders | None = None) -> None:
        self._app = app
        self._web_config = web_config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        response = _SendWithHeaders(send, self._web_config.headers if self._web_config else {})
        app = await _refusal(scope, receive) or self._app
        try:
            await app(scope, receive, response.send)
        except Exception:
            logger.exception("request failed", method=scope["method"], path=scope["path"])
            if response.has_started:
                raise  # so that the server resets the connection, because a partial response must not look complete
            await _failed(scope, receive, response.send)


class _SendWithHeaders:
    """An ASGI `send` that adds the common headers, and records whether the response has started."""

    def __init__(self, send: Send, configured: Mapping[str, str]) -> None:
        self._send = send
        self._configured = configured
        self.has_started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            self._add_headers(MutableHeaders(scope=message))
        await self._send(message)

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers["X-Content-Type-Options"] = "nosniff"
        for name, value in self._configured.items():
            if name == CONTENT_SECURITY_POLICY:
                headers.append(name, value)  # in addition to the page's own policy, because browsers enforce both
            else:
                headers[name] = value


async def _refusal(scope: Scope, receive: Receive) -> ASGIApp | None:
    """Return the response to a request that is too large or incomplete, None for others."""
    if _head_bytes(scope) > MAX_HEAD_BYTES:
        return _head_too_large
    headers = Headers(scope=scope)
    if "transfer-encoding" in headers:
        return await _chunked_refusal(receive)
    length = int(headers.get("content-length", "0"))  # h11 rejects values that are not digits
    return _body_too_large if length > MAX_BODY_BYTES else None


async def _chunked_refusal(receive: Receive) -> ASGIApp | None:
    """Read a body whose length only its end shows, but not more than the limit."""
    length, is_complete = 0, False
    while not is_complete and length <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return _no_response  # the request is incomplete, so it must not take effect
        length += len(message["body"])
        is_complete = not message["more_body"]
    return _body_too_large if length > MAX_BODY_BYTES else None


def _head_bytes(scope: Scope) -> int:
    """Return the size of the head of a request, without separators.

    The server limits only heads that arrive in several pieces. h11 parses a head of any size that arrives complete.
    """
    return len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(n) + len(v) for n, v in scope["headers"])


async def _no_response(scope: Scope, receive: Receive, send: Send) -> None:
    """Do nothing, because the client has left."""


# This closes the connection, so that the server does not have to read the rest of the body.
_body_too_large = PlainTextResponse(
    f"Request body too large: at most {MAX_BODY_BYTES} bytes are accepted.\n",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    headers={"Connection": "close"},
)
_head_too_large = PlainTextResponse(
    f"Request head too large: at most {MAX_HEAD_BYTES} bytes are accepted.\n",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    headers={"Connection": "close"},
)
_failed = PlainTextResponse(
    "Internal error: see the log of the exporter.\n",
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
