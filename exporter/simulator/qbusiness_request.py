"""Requests to Amazon Q Business: paths and parameters of the operations, with AWS's validation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from exporter.simulator import pagination
from exporter.simulator.job import STATUSES
from exporter.simulator.wire import ApiCall, Request, ServiceError, path_pattern, validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DEFAULT_PAGE_SIZE = 10
ARN_PATH = re.compile(
    r"application/(?P<application_id>[^/]+)(?:/index/(?P<index_id>[^/]+)(?:/data-source/(?P<data_source_id>[^/]+))?)?"
)
_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{35}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


@dataclass(frozen=True, slots=True)
class Route:
    """An operation: its path, its maximum page size (0 for an operation that lists nothing) and its filters."""

    operation: str
    path: re.Pattern[str]
    max_page_size: int = 0
    filters: frozenset[str] = frozenset()

    @property
    def parameters(self) -> frozenset[str]:
        """Return the names of the query parameters that the operation accepts."""
        return self.filters | {"nextToken", "maxResults"} if self.max_page_size else self.filters


def _route(operation: str, path: str, max_page_size: int = 0, *filters: str) -> Route:
    return Route(operation, path_pattern(path), max_page_size, frozenset(filters))


_INDICES = "/applications/{application_id}/indices"
_SOURCES = _INDICES + "/{index_id}/datasources"
ROUTES = (
    _route("ListApplications", "/applications", 100),
    _route("GetApplication", "/applications/{application_id}"),
    _route("ListIndices", _INDICES, 100),
    _route("GetIndex", _INDICES + "/{index_id}"),
    _route("ListDataSources", _SOURCES, 10),
    _route("GetDataSource", _SOURCES + "/{data_source_id}"),
    _route("ListDataSourceSyncJobs", _SOURCES + "/{data_source_id}/syncjobs", 10, "startTime", "endTime", "syncStatus"),
    _route("ListTagsForResource", "/v1/tags/{arn}"),
    _route("ListDocuments", "/applications/{application_id}/index/{index_id}/documents", 100, "dataSourceIds"),
)


class QBusinessRequest:
    """A request in progress: its operation, its path parameters and its validated query parameters.

    `page_sizes` are the largest pages of operations, by name, even if the request asks for more.
    """

    def __init__(self, request: Request, now: float, page_sizes: Mapping[str, int] | None = None) -> None:
        self.request = request
        self.now = now
        self._page_sizes = page_sizes or {}
        self.route, self.path_params = _find_route(request.method, request.path)

    @property
    def call(self) -> ApiCall:
        """Return a summary of the request for the log and the faults, even if the request is invalid."""
        query = self.request.query
        token = query.get("nextToken")
        names: dict[str, Any] = {**self.path_params, **_ids_in(self.path_params.get("arn", ""))}
        return ApiCall(
            self.route.operation,
            **names,
            page=pagination.page_number(token),
            token=token or "",
            status=query.get("syncStatus"),
            since=_parse_time(query.get("startTime", "")),
            source_filter=query.get("dataSourceIds", ""),
        )

    def check(self) -> None:
        """Raise ServiceError for an unsigned request, an unknown or repeated parameter, or an invalid id."""
        if not self.request.is_signed_for("qbusiness"):
            raise ServiceError("MissingAuthenticationTokenException", 403, "Missing Authentication Token")
        for name in sorted(self.request.query.keys() - self.route.parameters):
            raise validation_error(name, f"Unknown parameter {name}")
        for name in sorted(self.request.repeated):
            raise validation_error(name, f"Parameter {name} appears more than once")
        for name, value in self.path_params.items():
            if name != "arn" and not _ID.fullmatch(value):
                raise validation_error(_wire_name(name), f"Value {value!r} failed to satisfy constraint: {_ID.pattern}")

    def time_filter(self, name: str) -> float | None:
        """Return a time filter in seconds since the epoch; raise ServiceError for an invalid one."""
        text = self.request.query.get(name)
        if text is None:
            return None
        moment = _parse_time(text)
        if moment is None:
            raise validation_error(name, f"Value {text!r} at {name} is not an ISO 8601 time in UTC", "CANNOT_PARSE")
        return moment

    def status_filter(self) -> str | None:
        """Return the status filter; raise ServiceError for an unknown status."""
        status = self.request.query.get("syncStatus")
        if status is not None and status not in STATUSES:
            raise validation_error("syncStatus", f"Value {status!r} must be one of {', '.join(STATUSES)}")
        return status

    def source_filter(self) -> str | None:
        """Return the data source filter; raise ServiceError for an invalid id."""
        source = self.request.query.get("dataSourceIds")
        if source is not None and not _ID.fullmatch(source):
            raise validation_error("dataSourceIds", f"Value {source!r} failed to satisfy constraint: {_ID.pattern}")
        return source

    @property
    def cursor(self) -> pagination.PageCursor:
        """Return the position of the requested page."""
        return pagination.decode_token(self.request.query.get("nextToken"), self._listing, self.now)

    def page_of(self, key: str, items: Sequence[Any], render: Callable[[Any], Any]) -> dict[str, Any]:
        """Return the requested page of a list, under a key, with the token of the next page."""
        page, token = pagination.page_of(items, self.cursor, self._page_size(), self._listing)
        return {key: [render(item) for item in page], **({"nextToken": token} if token else {})}

    @property
    def _listing(self) -> str:
        filters = {name: value for name, value in self.request.query.items() if name in self.route.filters}
        return f"{self.request.path} {sorted(filters.items())}"

    def _page_size(self) -> int:
        text = self.request.query.get("maxResults", str(DEFAULT_PAGE_SIZE))
        most = self.route.max_page_size
        if not (text.isascii() and text.isdecimal()):
            raise validation_error("maxResults", f"Value {text!r} at maxResults is not a number", "CANNOT_PARSE")
        if not 1 <= int(text[:9]) <= most:
            raise validation_error("maxResults", f"Value {text!r} at maxResults must be between 1 and {most}")
        return min(int(text), self._page_sizes.get(self.route.operation, int(text)))


def _ids_in(arn: str) -> dict[str, str]:
    """Return the ids in the ARN of an application, an index or a data source."""
    path = ARN_PATH.fullmatch(arn.rpartition(":")[2])
    return {name: identifier for name, identifier in path.groupdict().items() if identifier} if path else {}


def _parse_time(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if _TIME.fullmatch(text) else None
    except ValueError:
        return None


@lru_cache(maxsize=10_000)
def _find_route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    for route in ROUTES:
        match = route.path.fullmatch(path)
        if match and method == "GET":
            return route, match.groupdict()
    raise ServiceError("UnknownOperationException", 404, f"no operation at {method} {path}")


def _wire_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
