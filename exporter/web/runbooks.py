"""The endpoints of the runbooks."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from exporter.web.rendering import ThreadRenderer, page_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from exporter.status.document import StatusDocument
    from exporter.web.page import RunbookPages


def runbook_endpoint(status: StatusDocument, pages: RunbookPages) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of the runbook with the name in the path; without a name, of the list of runbooks.

    The parameter `data_source_id` fills in the ids of a data source.
    """
    renderer = ThreadRenderer(page_headers(pages.content_security_policy))

    async def respond(request: Request) -> Response:
        name = request.path_params.get("name")
        if name is not None and name not in pages.names:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        data_source_id = request.query_params.get("data_source_id", "")
        return await renderer.respond(
            request, lambda: pages.render(name, status.exporter(), _placeholders(status, data_source_id))
        )

    return respond


def _placeholders(status: StatusDocument, data_source_id: str) -> dict[str, str]:
    """Return the values of the placeholders for a data source; none if it is not published."""
    source = status.source_id(data_source_id)
    if source is None:
        return {}
    return {level.key.upper(): identifier for level, identifier in zip(source.service.levels, source.path, strict=True)}
