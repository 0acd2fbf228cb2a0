"""The status page and the same facts as JSON, made in a thread of their own from what is known now."""

from __future__ import annotations

import gzip
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from starlette.responses import PlainTextResponse, Response

from exporter.exposition.negotiation import accepts_gzip
from exporter.status import Query, QueryError, yielding_gil
from exporter.web.page import DEFAULT_PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from exporter.status import StatusDocument
    from exporter.web.page import StatusPage

SOURCES_AN_ANSWER = 1000  # where nobody asks for another number
# One at a time: a page is made within moments, and whoever asks for a hundred shall not hold up scrapes.
AT_ONCE = 1
GZIP_LEVEL = 1

_HEADERS = {"Cache-Control": "no-store", "Vary": "Accept-Encoding", "Referrer-Policy": "no-referrer"}


def page_endpoint(overview: StatusDocument, page: StatusPage) -> Callable[[Request], Awaitable[Response]]:
    """Give the endpoint for people."""

    def render(query: Query) -> bytes:
        document = overview.document(query)
        return page.render(document, overview.choices())

    headers = {
        **_HEADERS,
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": page.content_security_policy,
    }
    return _endpoint(render, DEFAULT_PAGE_SIZE, headers)


def sources_endpoint(overview: StatusDocument) -> Callable[[Request], Awaitable[Response]]:
    """Give the endpoint for programs."""

    def render(query: Query) -> bytes:
        return _json(overview.document(query))

    return _endpoint(render, SOURCES_AN_ANSWER, {**_HEADERS, "Content-Type": "application/json"})


def _endpoint(
    render: Callable[[Query], bytes], page_size: int, headers: dict[str, str]
) -> Callable[[Request], Awaitable[Response]]:
    limiter = CapacityLimiter(AT_ONCE)

    async def answer(request: Request) -> Response:
        try:
            query = Query.parse(request.query_params, page_size)
        except QueryError as error:
            return PlainTextResponse(f"{error}\n", HTTPStatus.BAD_REQUEST)
        zips = accepts_gzip(", ".join(request.headers.getlist("accept-encoding")))

        def make() -> bytes:
            body = render(query)
            return gzip.compress(body, GZIP_LEVEL, mtime=0) if zips else body

        body = await to_thread.run_sync(make, abandon_on_cancel=True, limiter=limiter)
        return Response(body, headers={**headers, "Content-Encoding": "gzip"} if zips else headers)

    return answer


def _json(document: dict[str, Any]) -> bytes:
    """Write one source after the other, the rest before them."""
    rest = _dump({name: value for name, value in document.items() if name != "data_sources"})
    sources = ",".join(_dump(source) for source in yielding_gil(document["data_sources"]))
    return f'{rest[:-1]},"data_sources":[{sources}]}}\n'.encode("ascii")


def _dump(thing: object) -> str:
    # ASCII alone: what AWS may answer has characters that are no UTF-8, and "NaN" would be no JSON.
    return json.dumps(thing, separators=(",", ":"), allow_nan=False)
