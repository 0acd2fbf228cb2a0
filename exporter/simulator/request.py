"""What is asked: the operations' paths and parameters, and the refusal of what AWS would refuse."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from exporter.simulator import pagination
from exporter.simulator.job import STATUSES
from exporter.simulator.wire import Call, Request, ServiceError, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEFAULT_PAGE = 10
ARN_PATH = re.compile(
    r"application/(?P<application_id>[^/]+)(?:/index/(?P<index_id>[^/]+)(?:/data-source/(?P<data_source_id>[^/]+))?)?"
)
_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{35}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_SIGNATURE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/\s]+/\d{8}/[a-z0-9-]+/qbusiness/aws4_request, ?"
    r"SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}",
)


@dataclass(frozen=True, slots=True)
class Route:
    """An operation: where it is, its largest page (0 where it lists nothing), its filters."""

    operation: str
    path: re.Pattern[str]
    largest: int = 0
    filters: frozenset[str] = frozenset()

    @property
    def parameters(self) -> frozenset[str]:
        """Give the query parameters that it takes."""
        return self.filters | {"nextToken", "maxResults"} if self.largest else self.filters


def _route(operation: str, path: str, largest: int = 0, *filters: str) -> Route:
    groups = re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{'.+' if m[1] == 'arn' else '[^/]+'})", path)
    return Route(operation, re.compile(groups), largest, frozenset(filters))


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
)


@dataclass(slots=True)
class Paging:
    """How listings come in pages: `sizes` are the most that a page of an operation has, whatever was asked for."""

    sizes: dict[str, int] = field(default_factory=dict)


class ApiRequest:
    """A request that is being answered: its operation, and its parameters once they have been checked."""

    def __init__(self, request: Request, now: float, paging: Paging | None = None) -> None:
        self.request = request
        self.now = now
        self._paging = paging or Paging()
        self.route, self.found = _find_route(request.method, request.path)

    @property
    def call(self) -> Call:
        """Sum up the request for the log and the faults, whether it is valid or not."""
        query = self.request.query
        token = query.get("nextToken")
        names: dict[str, Any] = {**self.found, **_ids_in(self.found.get("arn", ""))}
        return Call(
            self.route.operation,
            **names,
            page=pagination.page_number(token),
            token=token or "",
            status=query.get("syncStatus"),
            since=_read_time(query.get("startTime", "")),
        )

    def check(self) -> None:
        """Raise ServiceError for a request that is not signed, or has parameters that its operation does not take."""
        if not _SIGNATURE.fullmatch(self.request.headers.get("authorization", "")):
            raise ServiceError("MissingAuthenticationTokenException", 403, "Missing Authentication Token")
        for name in sorted(self.request.query.keys() - self.route.parameters):
            raise invalid(name, f"Unknown parameter {name}")
        for name in sorted(self.request.repeated):
            raise invalid(name, f"Parameter {name} is given more than once")
        for name, value in self.found.items():
            if name != "arn" and not _ID.fullmatch(value):
                raise invalid(_wire_name(name), f"Value {value!r} failed to satisfy constraint: {_ID.pattern}")

    def moment(self, name: str) -> float | None:
        """Give a time filter."""
        text = self.request.query.get(name)
        if text is None:
            return None
        moment = _read_time(text)
        if moment is None:
            raise invalid(name, f"Value {text!r} at {name} is not an ISO 8601 time in UTC", "CANNOT_PARSE")
        return moment

    def status(self) -> str | None:
        """Give the status filter."""
        status = self.request.query.get("syncStatus")
        if status is not None and status not in STATUSES:
            raise invalid("syncStatus", f"Value {status!r} must be one of {', '.join(STATUSES)}")
        return status

    @property
    def place(self) -> pagination.PageCursor:
        """Tell where the page that is asked for begins."""
        return pagination.redeem(self.request.query.get("nextToken"), self._question, self.now)

    def page_of(self, key: str, items: Sequence[Any], render: Callable[[Any], Any]) -> dict[str, Any]:
        """Answer with the page that was asked for."""
        size, (page, offset, as_of) = self._page_size(), self.place
        following = pagination.PageCursor(page + 1, offset + size, as_of)
        more = {"nextToken": pagination.issue(following, self._question)} if offset + size < len(items) else {}
        return {key: [render(item) for item in items[offset : offset + size]], **more}

    @property
    def _question(self) -> str:
        filters = {name: value for name, value in self.request.query.items() if name in self.route.filters}
        return f"{self.request.path} {sorted(filters.items())}"

    def _page_size(self) -> int:
        text = self.request.query.get("maxResults", str(DEFAULT_PAGE))
        if not (text.isascii() and text.isdecimal()):
            raise invalid("maxResults", f"Value {text!r} at maxResults is not a number", "CANNOT_PARSE")
        if not 1 <= int(text[:9]) <= self.route.largest:
            raise invalid("maxResults", f"Value {text!r} at maxResults must be between 1 and {self.route.largest}")
        return min(int(text), self._paging.sizes.get(self.route.operation, int(text)))


def _ids_in(arn: str) -> dict[str, str]:
    """Give the ids that an ARN names."""
    path = ARN_PATH.fullmatch(arn.rpartition(":")[2])
    return {name: identifier for name, identifier in path.groupdict().items() if identifier} if path else {}


def _read_time(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if _TIME.fullmatch(text) else None
    except ValueError:
        return None


@lru_cache(maxsize=10_000)
def _find_route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    for route in ROUTES:
        found = route.path.fullmatch(path)
        if found and method == "GET":
            return route, found.groupdict()
    raise ServiceError("UnknownOperationException", 404, f"no operation at {method} {path}")


def _wire_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
