"""The endpoints of the status page and of the JSON API, which return the same data."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse

from exporter.status import Query, QueryError, yielding_gil
from exporter.status.query import MAX_PAGE_SIZE
from exporter.web.page import DEFAULT_PAGE_SIZE
from exporter.web.rendering import ThreadRenderer, page_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from exporter.status import StatusDocument
    from exporter.web.page import StatusPage


def page_endpoint(status: StatusDocument, page: StatusPage) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of the status page."""

    def render(query: Query) -> bytes:
        document = status.document(query)
        return page.render(document, status.choices())

    return _endpoint(render, DEFAULT_PAGE_SIZE, page_headers(page.content_security_policy))


def sources_endpoint(status: StatusDocument) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of the JSON API."""

    def render(query: Query) -> bytes:
        return _json(status.document(query))

    return _endpoint(render, MAX_PAGE_SIZE, {"Content-Type": "application/json"})


def _endpoint(
    render: Callable[[Query], bytes], page_size: int, headers: Mapping[str, str]
) -> Callable[[Request], Awaitable[Response]]:
    renderer = ThreadRenderer(headers)

    async def respond(request: Request) -> Response:
        try:
            query = Query.parse(request.query_params, page_size)
        except QueryError as error:
            return PlainTextResponse(f"{error}\n", HTTPStatus.BAD_REQUEST)
        return await renderer.respond(request, lambda: render(query))

    return respond


def _json(document: dict[str, Any]) -> bytes:
    """Return a document as JSON, with the data sources at the end, and release the GIL between them."""
    rest = _dump({name: value for name, value in document.items() if name != "data_sources"})
    sources = ",".join(_dump(source) for source in yielding_gil(document["data_sources"]))
    return f'{rest[:-1]},"data_sources":[{sources}]}}\n'.encode("ascii")


def _dump(value: object) -> str:
    # ASCII, because texts from AWS may contain lone surrogates, which UTF-8 cannot encode. NaN would not be valid JSON.
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
