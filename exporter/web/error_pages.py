"""Responses to unknown paths: a page for browsers, and a line of text for programs."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

from exporter.web.rendering import ThreadRenderer, page_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from exporter.status.document import StatusDocument
    from exporter.web.page import ErrorPage


def not_found_handler(status: StatusDocument, page: ErrorPage) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return the handler of requests to unknown paths."""
    renderer = ThreadRenderer(page_headers(page.content_security_policy))

    async def respond(request: Request, _error: Exception) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse("Not Found", HTTPStatus.NOT_FOUND)
        text = f"This exporter has no page {request.url.path}."
        return await renderer.respond(
            request, lambda: page.render("Page not found", text, status.exporter()), HTTPStatus.NOT_FOUND
        )

    return respond
