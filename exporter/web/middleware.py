"""What holds for every answer, whichever endpoint gives it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = structlog.get_logger()

MAX_BODY_BYTES = 4096  # nothing here reads a body; curl and browsers may send a small one all the same


# The server takes a piece only when the client has taken those before it: a whole body at once would be copied into
# the transport's buffer, which large and stalled responses leave too fragmented to be used again.
PIECE_BYTES = 256 * 1024


CONTENT_SECURITY_POLICY = "Content-Security-Policy"


class HasHeaders(Protocol):
    """Whatever knows the configured headers of the moment."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Give the headers of every answer."""


class SecurityMiddleware:
    """Refuse large bodies, forbid content sniffing, add headers, and keep tracebacks in the log."""

    def __init__(self, app: ASGIApp, web_config: HasHeaders | None = None) -> None:
        """`access` knows the headers that are configured."""
        self._app = app
        self._web_config = web_config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, self._web_config.headers if self._web_config else {})
        app = _too_large if _has_large_body(Headers(scope=scope)) else self._app
        try:
            await app(scope, receive, answer.send)
        except Exception:
            logger.exception("request failed", method=scope["method"], path=scope["path"])
            if answer.started:
                raise  # half an answer must end as a broken connection, not as a short but complete one
            await _failed(scope, receive, answer.send)


class _Answer:
    """The way out to the client: adds the common headers, and remembers whether an answer began."""

    def __init__(self, send: Send, configured: Mapping[str, str]) -> None:
        self._send = send
        self._configured = configured
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers["X-Content-Type-Options"] = "nosniff"
            for name, value in self._configured.items():
                if name == CONTENT_SECURITY_POLICY:
                    headers.append(name, value)  # beside a page's own: browsers hold a page to both
                else:
                    headers[name] = value
        for piece in _pieces(message):
            await self._send(piece)


def _pieces(message: Message) -> Iterator[Message]:
    body: bytes = message.get("body", b"")
    yield {**message, "body": body[:PIECE_BYTES], "more_body": True} if len(body) > PIECE_BYTES else message
    for start in range(PIECE_BYTES, len(body), PIECE_BYTES):
        end = start + PIECE_BYTES
        yield {**message, "body": body[start:end], "more_body": end < len(body) or message.get("more_body", False)}


def _has_large_body(headers: Headers) -> bool:
    if "transfer-encoding" in headers:
        return True  # its length is anybody's guess
    return int(headers.get("content-length", "0")) > MAX_BODY_BYTES  # h11 lets nothing but digits through


# Closing spares us from reading the rest, whatever its length.
_too_large = PlainTextResponse(
    "The body is too large: send none.\n",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    headers={"Connection": "close"},
)
_failed = PlainTextResponse(
    "Internal error: the log of the exporter has the details.\n",
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
