"""The endpoints of the status page and of the JSON API, which return the same data."""

from __future__ import annotations

import json
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import PlainTextResponse

from exporter.status.query import MAX_PAGE_SIZE, Query, QueryError
from exporter.web.page import DEFAULT_PAGE_SIZE
from exporter.web.rendering import ThreadRenderer, page_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from exporter.status.cooperative import ScrapePriority
    from exporter.status.document import StatusDocument
    from exporter.web.page import ErrorPage, StatusPage

    Endpoint = Callable[[Request], Awaitable[Response]]


def page_endpoint(status: StatusDocument, page: StatusPage, error_page: ErrorPage) -> Endpoint:
    """Return the endpoint of the status page, with the page of an invalid query."""
    renderer = ThreadRenderer(page_headers(page.content_security_policy))

    def render(query: Query) -> bytes:
        document = status.document(query)
        return page.render(document, status.choices(), status.priority)

    async def reject(request: Request, error: str) -> Response:
        return await renderer.respond(
            request, lambda: error_page.render("Invalid query", error, status.exporter()), HTTPStatus.BAD_REQUEST
        )

    return _endpoint(renderer, render, reject, DEFAULT_PAGE_SIZE)


def sources_endpoint(status: StatusDocument) -> Endpoint:
    """Return the endpoint of the JSON API."""

    def render(query: Query) -> bytes:
        return _json(status.document(query), status.priority)

    async def reject(_request: Request, error: str) -> Response:
        return PlainTextResponse(f"{error}\n", HTTPStatus.BAD_REQUEST)

    return _endpoint(ThreadRenderer({"Content-Type": "application/json"}), render, reject, MAX_PAGE_SIZE)


def _endpoint(
    renderer: ThreadRenderer,
    render: Callable[[Query], bytes],
    reject: Callable[[Request, str], Awaitable[Response]],
    page_size: int,
) -> Endpoint:
    async def respond(request: Request) -> Response:
        try:
            query = Query.parse(request.query_params, page_size)
        except QueryError as error:
            return await reject(request, str(error))
        return await renderer.respond(request, lambda: render(query))

    return respond


def _json(document: dict[str, Any], priority: ScrapePriority) -> bytes:
    """Return a document as JSON, with the data sources at the end, and let scrapes run between them."""
    rest = _dump({name: value for name, value in document.items() if name != "data_sources"})
    sources = b",".join(_dump(source) for source in priority.yielding(document["data_sources"]))
    return b'%b,"data_sources":[%b]}\n' % (rest[:-1], sources)


def _dump(value: object) -> bytes:
    # ASCII, because texts from AWS may contain control characters, and lone surrogates, which UTF-8 cannot encode. Only
    # the standard library escapes these, but it takes several times as long, and most texts have none of them.
    with suppress(UnicodeEncodeError):
        encoded = msgspec.json.encode(value)
        if encoded.isascii():
            return encoded
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
