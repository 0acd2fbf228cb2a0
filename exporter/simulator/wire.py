"""Requests and responses of the simulated service, and its errors."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as the service receives it, with `path` and `query` decoded."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    repeated: frozenset[str] = frozenset()  # query parameters that appear more than once

    @classmethod
    def parse(cls, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Request:
        """Parse the request target. Header names must be in lower case."""
        url = urlsplit(target)
        pairs = parse_qsl(url.query, keep_blank_values=True)
        times = Counter(name for name, _ in pairs)
        repeated = frozenset(name for name, count in times.items() if count > 1)
        return cls(method, unquote(url.path), dict(pairs), headers, body.decode(errors="replace"), repeated)

    def is_signed_for(self, service: str) -> bool:
        """Return whether the request has a SigV4 signature for a service. The signature itself is not verified."""
        return bool(_signature_pattern(service).fullmatch(self.headers.get("authorization", "")))

    @property
    def access_key(self) -> str:
        """Return the access key of the SigV4 signature, or an empty string for an unsigned request."""
        return self.headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response, and how its transmission fails."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds before the first byte
    missing_bytes: int = 0  # bytes of the body that Content-Length announces and that are never sent
    is_reset: bool = False  # the connection is reset before the response, or instead of the missing bytes
    byte_interval: float = 0.0  # seconds between any two bytes, headers included
    is_endless: bool = False  # more bytes follow the body without end


@dataclass(frozen=True, slots=True)
class ApiCall:
    """The operation that a request calls, with the parameters by which faults and tests select."""

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
    source_filter: str = ""

    @property
    def source(self) -> str:
        """Return the id of the data source in the path or in the filter; empty if there is none."""
        return self.data_source_id or self.source_filter


@dataclass(frozen=True, slots=True)
class IamPermission:
    """An IAM action, and the ARNs of the resources, on all of which it must be allowed."""

    action: str
    arns: list[str]

    @property
    def resources(self) -> list[str]:
        """The ARNs, or `*` for an action without a resource."""
        return self.arns or ["*"]


class ServiceError(Exception):
    """An error of the API: its name, its HTTP status and its further members."""

    def __init__(self, name: str, status: int, message: str, **members: Any) -> None:  # noqa: ANN401 (JSON)
        super().__init__(message)
        self.name = name
        self.status = status
        self.members = members


@cache
def _signature_pattern(service: str) -> re.Pattern[str]:
    return re.compile(
        rf"AWS4-HMAC-SHA256 Credential=[^/\s]+/\d{{8}}/[a-z0-9-]+/{service}/aws4_request, ?"
        r"SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}"
    )


def path_pattern(path: str) -> re.Pattern[str]:
    """Return the pattern of a path with parameters in braces; an ARN may contain slashes."""
    return re.compile(re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{'.+' if m[1] == 'arn' else '[^/]+'})", path))


def parse_json_object(text: str) -> dict[str, Any]:
    """Return the object in the body of a request; raise ServiceError if it has none."""
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ServiceError("SerializationException", 400, "the body is not a JSON object")
    return body


def json_response(data: object) -> Response:
    """Return a successful response with a JSON body."""
    return Response(200, json.dumps(data).encode(), {"Content-Type": "application/json"})


def xml_error_response(error: ServiceError) -> Response:
    """Return an error in the format of the Security Token Service."""
    members = f"<Code>{error.name}</Code><Message>{error}</Message>"
    body = f"<ErrorResponse><Error>{members}</Error></ErrorResponse>"
    return Response(error.status, body.encode(), {"Content-Type": "text/xml"})


def error_response(error: ServiceError) -> Response:
    """Return an error in the rest-json format: its name in a header, its message in the body."""
    body = json.dumps({"message": str(error), **error.members}).encode()
    return Response(error.status, body, {"Content-Type": "application/json", "x-amzn-errortype": error.name})


def validation_error(field_name: str, message: str, reason: str = "FIELD_VALIDATION_FAILED") -> ServiceError:
    """Return the error for a parameter that violates its constraints."""
    fields = [{"name": field_name, "message": message}]
    return ServiceError("ValidationException", 400, message, reason=reason, fields=fields)


def not_found_error(kind: str, identifier: str) -> ServiceError:
    """Return the error for a resource that does not exist."""
    message = f"{kind} {identifier} does not exist"
    return ServiceError("ResourceNotFoundException", 404, message, resourceId=identifier, resourceType=kind)
