"""Requests to Amazon Kendra: the parameters of its operations, with AWS's validation."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.simulator import pagination
from exporter.simulator.job import STATUSES
from exporter.simulator.wire import ApiCall, ServiceError, parse_json_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.simulator.wire import Request

CONTENT_TYPE = "application/x-amz-json-1.1"
ARN_PATH = re.compile(r"index/([^/]+)(?:/data-source/([^/]+))?$")
_TARGET = "AWSKendraFrontendService."
_INDEX_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{35}")
_SOURCE_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,99}")
_PAGED = {"NextToken", "MaxResults"}


@dataclass(frozen=True, slots=True)
class KendraOperation:
    """The parameters of an operation, and its largest page; 0 for one that lists nothing."""

    parameters: frozenset[str] = frozenset()
    max_page_size: int = 0

    @property
    def accepted(self) -> frozenset[str]:
        """Return the names of the parameters, including the parameters for pages."""
        return self.parameters | _PAGED if self.max_page_size else self.parameters


_OF_SOURCE = frozenset({"Id", "IndexId"})
OPERATIONS = {
    "ListIndices": KendraOperation(max_page_size=100),
    "DescribeIndex": KendraOperation(frozenset({"Id"})),
    "ListDataSources": KendraOperation(frozenset({"IndexId"}), 100),
    "DescribeDataSource": KendraOperation(_OF_SOURCE),
    "ListDataSourceSyncJobs": KendraOperation(_OF_SOURCE | {"StartTimeFilter", "StatusFilter"}, 10),
    "ListTagsForResource": KendraOperation(frozenset({"ResourceARN"})),
}


class KendraRequest:
    """A request in progress: its operation and its parameters.

    `page_sizes` are the largest pages of operations, by name, even if the request asks for more.
    """

    def __init__(self, request: Request, now: float, page_sizes: Mapping[str, int] | None = None) -> None:
        self.request = request
        self.now = now
        self._page_sizes = page_sizes or {}
        self.name = request.headers.get("x-amz-target", "").removeprefix(_TARGET)
        if request.method != "POST" or request.path != "/" or self.name not in OPERATIONS:
            raise ServiceError("UnknownOperationException", 400, f"no operation {self.name!r}")
        self.operation = OPERATIONS[self.name]
        self.body = parse_json_object(request.body)

    @property
    def call(self) -> ApiCall:
        """Return a summary of the request for the log and the faults, even if the request is invalid."""
        index, source = self.body.get("IndexId", ""), self.body.get("Id", "")
        if "IndexId" not in self.operation.parameters:
            index, source = source, ""
        arn = self.body.get("ResourceARN", "")
        if isinstance(arn, str) and (in_arn := ARN_PATH.search(arn)):
            index, source = in_arn[1], in_arn[2] or ""
        token, since = self.body.get("NextToken"), self.body.get("StartTimeFilter", {}).get("StartTime")
        return ApiCall(
            self.name,
            index_id=index,
            data_source_id=source,
            page=pagination.page_number(token),
            token=token or "",
            status=self.body.get("StatusFilter"),
            since=since,
            arn=arn,
        )

    def check(self) -> None:
        """Raise ServiceError for an unsigned request, another content type, or an invalid parameter."""
        if not self.request.is_signed_for("kendra"):
            raise ServiceError("MissingAuthenticationTokenException", 400, "Missing Authentication Token")
        if self.request.headers.get("content-type") != CONTENT_TYPE:
            raise ServiceError("SerializationException", 400, f"expected {CONTENT_TYPE}")
        for name in sorted(self.body.keys() - self.operation.accepted):
            raise invalid(name, "unknown parameter")
        for name in sorted({"Id", "IndexId", "ResourceARN"} & self.operation.parameters):
            is_source = name == "Id" and "IndexId" in self.operation.parameters
            pattern = {"ResourceARN": re.compile(r".{1,1011}")}.get(name, _SOURCE_ID if is_source else _INDEX_ID)
            if not isinstance(self.body.get(name), str) or not pattern.fullmatch(self.body[name]):
                raise invalid(name, f"value must satisfy {pattern.pattern}")
        status = self.body.get("StatusFilter")
        if status is not None and status not in STATUSES:
            raise invalid("StatusFilter", f"value must be one of {', '.join(STATUSES)}")

    def span(self) -> tuple[float | None, float | None]:
        """Return the time filter; raise ServiceError for an invalid one."""
        found = self.body.get("StartTimeFilter", {})
        times = (found.get("StartTime"), found.get("EndTime"))
        if not all(isinstance(time, int | float | None) for time in times) or found.keys() - {"StartTime", "EndTime"}:
            raise invalid("StartTimeFilter", "value must have StartTime and EndTime in seconds")
        return times

    @property
    def cursor(self) -> pagination.PageCursor:
        """Return the position of the requested page."""
        return pagination.decode_token(self.body.get("NextToken"), self._listing, self.now)

    def page_of(self, key: str, items: Sequence[Any], render: Callable[[Any], Any]) -> dict[str, Any]:
        """Return the requested page of a list, under a key, with the token of the next page."""
        size, most = self.body.get("MaxResults", 10), self.operation.max_page_size
        if not isinstance(size, int) or not 1 <= size <= most:
            raise invalid("MaxResults", f"value must be between 1 and {most}")
        size = min(size, self._page_sizes.get(self.name, size))
        page, token = pagination.page_of(items, self.cursor, size, self._listing)
        return {key: [render(item) for item in page], **({"NextToken": token} if token else {})}

    @property
    def _listing(self) -> str:
        return json.dumps([self.name, {name: self.body[name] for name in sorted(self.body.keys() - _PAGED)}])


def invalid(name: str, problem: str) -> ServiceError:
    """Return the error for a parameter that violates its constraints."""
    return ServiceError("ValidationException", 400, f"1 validation error detected: {name}: {problem}")
