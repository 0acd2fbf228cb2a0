"""Responses that are rendered in a thread, and compressed if the client accepts it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread

from exporter.exposition.gzip import CompressedBlock, gzip_member
from exporter.exposition.negotiation import accepts_gzip
from exporter.web.responses import ChunkedResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

# Each endpoint renders one page at a time. A page takes a fraction of a second, and a client that requests a hundred
# pages must not delay scrapes.
CONCURRENT_RENDERINGS = 1

COMMON_HEADERS = {"Cache-Control": "no-store", "Vary": "Accept-Encoding", "Referrer-Policy": "no-referrer"}


class ThreadRenderer:
    """Renders the responses of one endpoint."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = {**COMMON_HEADERS, **headers}
        self._limiter = CapacityLimiter(CONCURRENT_RENDERINGS)

    async def respond(
        self, request: Request, render: Callable[[], bytes], status: HTTPStatus = HTTPStatus.OK
    ) -> ChunkedResponse:
        """Return the response to a request with the body that `render` returns."""
        compress = accepts_gzip(", ".join(request.headers.getlist("accept-encoding")))

        def render_body() -> list[bytes]:
            body = render()
            return gzip_member([CompressedBlock(body)]) if compress else [body]

        body = await to_thread.run_sync(render_body, abandon_on_cancel=True, limiter=self._limiter)
        encoding = {"Content-Encoding": "gzip"} if compress else {}
        return ChunkedResponse(body, {**self._headers, **encoding}, status)


def page_headers(content_security_policy: str) -> dict[str, str]:
    """Return the headers of an HTML page with this policy."""
    return {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": content_security_policy}
