"""Requests to Amazon Bedrock knowledge bases: paths and bodies of the operations, with AWS's validation."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.simulator import pagination
from exporter.simulator.bedrock_jobs import ID, STATUSES
from exporter.simulator.wire import ApiCall, ServiceError, parse_json_object, path_pattern, validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.simulator.wire import Request

ARN_PATH = re.compile(r"knowledge-base/(?P<knowledge_base>[0-9a-zA-Z]{10})")
_PAGED = frozenset({"maxResults", "nextToken"})
_MAX_PAGE = 1000
_MAX_FILTER_VALUES = 10


@dataclass(frozen=True, slots=True)
class BedrockRoute:
    """An operation: its method, its path, and the members of its body. An operation with a body lists something."""

    operation: str
    method: str
    path: re.Pattern[str]
    members: frozenset[str] = frozenset()


def _route(operation: str, method: str, path: str, *members: str) -> BedrockRoute:
    return BedrockRoute(
        operation, method, path_pattern(path), frozenset(members) | _PAGED if method == "POST" else frozenset()
    )


_SOURCES = "/knowledgebases/{knowledge_base}/datasources"
_JOBS = _SOURCES + "/{data_source}/ingestionjobs"
ROUTES = (
    _route("ListKnowledgeBases", "POST", "/knowledgebases/"),
    _route("GetKnowledgeBase", "GET", "/knowledgebases/{knowledge_base}"),
    _route("ListDataSources", "POST", _SOURCES + "/"),
    _route("GetDataSource", "GET", _SOURCES + "/{data_source}"),
    _route("ListIngestionJobs", "POST", _JOBS + "/", "filters", "sortBy"),
    _route("GetIngestionJob", "GET", _JOBS + "/{ingestion_job}"),
    _route("ListTagsForResource", "GET", "/tags/{arn}"),
    _route("ListKnowledgeBaseDocuments", "POST", _SOURCES + "/{data_source}/documents"),
)


class BedrockRequest:
    """A request in progress: its operation, the ids in its path, and the members of its body.

    `page_sizes` are the largest pages of operations, by name, even if the request asks for more.
    """

    def __init__(self, request: Request, now: float, page_sizes: Mapping[str, int] | None = None) -> None:
        self.request = request
        self.now = now
        self._page_sizes = page_sizes or {}
        self.route, self.ids = _find_route(request.method, request.path)
        self.body = parse_json_object(request.body or "{}")

    @property
    def call(self) -> ApiCall:
        """Return a summary of the request for the log and the faults, even if the request is invalid."""
        token, arn = self.body.get("nextToken"), self.ids.get("arn", "")
        in_arn = ARN_PATH.search(arn)
        return ApiCall(
            self.route.operation,
            index_id=self.ids.get("knowledge_base", in_arn[1] if in_arn else ""),
            data_source_id=self.ids.get("data_source", ""),
            page=pagination.page_number(token),
            token=token or "",
            status=",".join(self._filter_values()) or None,
            arn=arn,
        )

    def check(self) -> None:
        """Raise ServiceError for an unsigned request, an unknown member, or an invalid id, filter or order."""
        if not self.request.is_signed_for("bedrock"):
            raise ServiceError("MissingAuthenticationTokenException", 403, "Missing Authentication Token")
        for name in sorted(self.request.query):
            raise validation_error(name, f"Unknown parameter {name}")
        for name in sorted(self.body.keys() - self.route.members):
            raise validation_error(name, f"Unknown member {name}")
        for name, value in self.ids.items():
            if name != "arn" and not ID.fullmatch(value):
                raise validation_error(name, f"Value {value!r} failed to satisfy constraint: {ID.pattern}")
        self.status_filter()
        self.is_newest_first()
        self._page_size()

    def status_filter(self) -> tuple[str, ...]:
        """Return the statuses of the filter, none without one; raise ServiceError for an invalid filter."""
        if "filters" not in self.body:
            return ()
        values = self._filter_values()
        if not 1 <= len(values) <= _MAX_FILTER_VALUES or not set(values) <= set(STATUSES):
            raise validation_error("filters", f"expected one filter STATUS EQ by values of {', '.join(STATUSES)}")
        return values

    def is_newest_first(self) -> bool:
        """Return whether the request asks for this order; raise ServiceError for an invalid order."""
        order = self.body.get("sortBy")
        if order is None:
            return False
        is_valid = isinstance(order, dict) and order.keys() == {"attribute", "order"}
        if not is_valid or order["attribute"] not in {"STATUS", "STARTED_AT"}:
            raise validation_error("sortBy", "expected an attribute of STATUS, STARTED_AT, and an order")
        if order["order"] not in {"ASCENDING", "DESCENDING"}:
            raise validation_error("sortBy.order", "Value must be one of ASCENDING, DESCENDING")
        return bool(order == {"attribute": "STARTED_AT", "order": "DESCENDING"})

    @property
    def cursor(self) -> pagination.PageCursor:
        """Return the position of the requested page."""
        return pagination.decode_token(self.body.get("nextToken"), self._listing, self.now)

    def page_of(self, key: str, items: Sequence[Any], render: Callable[[Any], Any]) -> dict[str, Any]:
        """Return the requested page of a list, under a key, with the token of the next page."""
        page, token = pagination.page_of(items, self.cursor, self._page_size(), self._listing)
        return {key: [render(item) for item in page], **({"nextToken": token} if token else {})}

    @property
    def _listing(self) -> str:
        filters = {name: self.body[name] for name in sorted(self.body.keys() - _PAGED)}
        return json.dumps([self.request.path, filters])

    def _page_size(self) -> int:
        size = self.body.get("maxResults", 10)
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= _MAX_PAGE:
            raise validation_error("maxResults", f"Value {size!r} at maxResults must be between 1 and {_MAX_PAGE}")
        return min(size, self._page_sizes.get(self.route.operation, size))

    def _filter_values(self) -> tuple[str, ...]:
        """Return the values of the only filter; none if it is not valid."""
        filters = self.body.get("filters")
        found = filters[0] if isinstance(filters, list) and len(filters) == 1 else None
        if not isinstance(found, dict) or (found.get("attribute"), found.get("operator")) != ("STATUS", "EQ"):
            return ()
        values = found.get("values")
        return tuple(map(str, values)) if isinstance(values, list) else ()


def _find_route(method: str, path: str) -> tuple[BedrockRoute, dict[str, str]]:
    for route in ROUTES:
        match = route.path.fullmatch(path)
        if match and method == route.method:
            return route, match.groupdict()
    raise ServiceError("UnknownOperationException", 404, f"no operation at {method} {path}")
