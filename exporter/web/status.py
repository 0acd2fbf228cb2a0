"""The endpoints of the status page and of the JSON API, which return the same data."""

from __future__ import annotations

import gzip
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from starlette.responses import PlainTextResponse

from exporter.exposition.negotiation import accepts_gzip
from exporter.status import Query, QueryError, yielding_gil
from exporter.status.query import MAX_PAGE_SIZE
from exporter.web.page import DEFAULT_PAGE_SIZE
from exporter.web.responses import ChunkedResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from exporter.status import StatusDocument
    from exporter.web.page import StatusPage

# One at a time for each endpoint. A page takes a fraction of a second, and a client that requests a hundred of them
# must not delay scrapes.
CONCURRENT_RENDERINGS = 1
GZIP_LEVEL = 1

_HEADERS = {"Cache-Control": "no-store", "Vary": "Accept-Encoding", "Referrer-Policy": "no-referrer"}


def page_endpoint(status: StatusDocument, page: StatusPage) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of the status page."""

    def render(query: Query) -> bytes:
        document = status.document(query)
        return page.render(document, status.choices())

    headers = {
        **_HEADERS,
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": page.content_security_policy,
    }
    return _endpoint(render, DEFAULT_PAGE_SIZE, headers)


def sources_endpoint(status: StatusDocument) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of the JSON API."""

    def render(query: Query) -> bytes:
        return _json(status.document(query))

    return _endpoint(render, MAX_PAGE_SIZE, {**_HEADERS, "Content-Type": "application/json"})


def _endpoint(
    render: Callable[[Query], bytes], page_size: int, headers: Mapping[str, str]
) -> Callable[[Request], Awaitable[Response]]:
    limiter = CapacityLimiter(CONCURRENT_RENDERINGS)

    async def respond(request: Request) -> Response:
        try:
            query = Query.parse(request.query_params, page_size)
        except QueryError as error:
            return PlainTextResponse(f"{error}\n", HTTPStatus.BAD_REQUEST)
        compress = accepts_gzip(", ".join(request.headers.getlist("accept-encoding")))

        def render_body() -> bytes:
            body = render(query)
            return gzip.compress(body, GZIP_LEVEL, mtime=0) if compress else body

        body = await to_thread.run_sync(render_body, abandon_on_cancel=True, limiter=limiter)
        return ChunkedResponse([body], {**headers, "Content-Encoding": "gzip"} if compress else headers)

    return respond


def _json(document: dict[str, Any]) -> bytes:
    """Return a document as JSON, with the data sources at the end, and release the GIL between them."""
    rest = _dump({name: value for name, value in document.items() if name != "data_sources"})
    sources = ",".join(_dump(source) for source in yielding_gil(document["data_sources"]))
    return f'{rest[:-1]},"data_sources":[{sources}]}}\n'.encode("ascii")


def _dump(value: object) -> str:
    # ASCII, because texts from AWS may contain lone surrogates, which UTF-8 cannot encode. NaN would not be valid JSON.
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
