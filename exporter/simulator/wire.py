"""Requests and answers of the simulated service, and its errors."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as the service sees it: `path` and `query` decoded."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    repeated: frozenset[str] = frozenset()  # query parameters that were given more than once

    @classmethod
    def parse(cls, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Request:
        """Read a request's target; header names are to be in lower case."""
        url = urlsplit(target)
        pairs = parse_qsl(url.query, keep_blank_values=True)
        times = Counter(name for name, _ in pairs)
        repeated = frozenset(name for name, count in times.items() if count > 1)
        return cls(method, unquote(url.path), dict(pairs), headers, body.decode(errors="replace"), repeated)

    @property
    def access_key(self) -> str:
        """Give the access key that signed it (SigV4); empty when none did."""
        return self.headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer, and what may go wrong on its way."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    missing: int = 0  # bytes of the body that are promised and never come
    resets: bool = False  # the connection is torn down: before the answer, or instead of what is missing
    drips: float = 0.0  # seconds between any two bytes, headers included
    endless: bool = False  # after the body comes more of it, for ever


@dataclass(frozen=True, slots=True)
class Call:
    """What a request asks for, once it is understood."""

    operation: str
    application_id: str = ""
    index_id: str = ""
    data_source_id: str = ""
    page: int = 1
    token: str = ""
    status: str | None = None
    since: float | None = None
    arn: str = ""
    is_sts: bool = False


class ServiceError(Exception):
    """An error that the API has: its name, HTTP status and further members."""

    def __init__(self, name: str, status: int, message: str, **members: Any) -> None:  # noqa: ANN401 (JSON)
        super().__init__(message)
        self.name = name
        self.status = status
        self.members = members


def answer(data: object) -> Response:
    """Answer with JSON."""
    return Response(200, json.dumps(data).encode(), {"Content-Type": "application/json"})


def refuse_in_xml(error: ServiceError) -> Response:
    """Answer with an error as the Security Token Service has it."""
    said = f"<Code>{error.name}</Code><Message>{error}</Message>"
    body = f"<ErrorResponse><Error>{said}</Error></ErrorResponse>"
    return Response(error.status, body.encode(), {"Content-Type": "text/xml"})


def refuse(error: ServiceError) -> Response:
    """Answer with an error, as rest-json has it: its name in a header, its message in the body."""
    body = json.dumps({"message": str(error), **error.members}).encode()
    return Response(error.status, body, {"Content-Type": "application/json", "x-amzn-errortype": error.name})


def invalid(field_name: str, message: str, reason: str = "FIELD_VALIDATION_FAILED") -> ServiceError:
    """Make the error for a member that does not fit its constraints."""
    fields = [{"name": field_name, "message": message}]
    return ServiceError("ValidationException", 400, message, reason=reason, fields=fields)


def not_found(kind: str, identifier: str) -> ServiceError:
    """Make the error for a resource that is not there."""
    message = f"{kind} {identifier} does not exist"
    return ServiceError("ResourceNotFoundException", 404, message, resourceId=identifier, resourceType=kind)
