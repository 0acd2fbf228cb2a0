"""Fuzz targets for AWS responses, which pass through botocore and the provider without a socket."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse, HeadersDict

from exporter.aws import AwsClient
from exporter.config import PollingConfig, parse_target
from exporter.domain.service import ArnScope
from exporter.errors import ProviderError, Reason
from exporter.providers.qbusiness.provider import QBusiness
from exporter.runtime import System
from tests.suites.fuzz.checks import require
from tests.support.builders import container_id, source_id

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_790_000_000.0
STATUSES = (200, 200, 200, 200, 200, 400, 403, 404, 409, 429, 500, 503)
UNEXPECTED_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e300,
    10**40,
    1.5,
    "",
    "x",
    "9" * 400,
    "\ud800",
    [],
    [None],
    {},
    {"a": []},
    NOW * 1000,
)
_IDS = ("a" * 36, "i" * 36, "s" * 36)


class _Limiter:
    """A rate limiter and observer that lets every request through."""

    def acquire(self, operation: str) -> None:
        pass

    def finished(self, operation: str, code: str, seconds: float, *, is_usable: bool = True) -> None:
        assert operation
        assert code
        assert seconds >= 0
        assert isinstance(is_usable, bool)


class ResponseBodies:
    """Bodies of responses, as bytes."""

    jobs = (
        {
            "executionId": "e" * 36,
            "startTime": NOW - 900.123,
            "endTime": NOW - 60,
            "status": "FAILED",
            "error": {"errorCode": "InternalError", "errorMessage": "SPE-5002: no"},
            "dataSourceErrorCode": "SPE-5002",
            "metrics": {"documentsAdded": "12", "documentsScanned": "999"},
        },
    )
    valid_bodies = (
        {"applications": [{"applicationId": _IDS[0], "displayName": "intranet", "createdAt": NOW, "status": "ACTIVE"}]},
        {"applicationId": _IDS[0], "displayName": "intranet", "status": "ACTIVE"},
        {"indices": [{"indexId": _IDS[1], "displayName": "main", "status": "ACTIVE"}], "nextToken": "more"},
        {
            "displayName": "main",
            "type": "ENTERPRISE",
            "indexArn": "arn:x",
            "capacityConfiguration": {"units": 2},
            "indexStatistics": {"textDocumentStatistics": {"indexedTextBytes": 5, "indexedTextDocumentCount": 7}},
        },
        {"dataSources": [{"dataSourceId": _IDS[2], "displayName": "hr", "type": "S3", "updatedAt": NOW}]},
        {"displayName": "hr", "type": "S3", "status": "ACTIVE", "syncSchedule": "cron(0 3 * * ? *)", "error": {}},
        {"history": jobs, "nextToken": "more"},
        {"tags": [{"key": "team", "value": "hr"}]},
    )
    """A valid body for each operation, in the order of the calls."""

    def __init__(self) -> None:
        os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
        target = parse_target({"region": "us-east-1", "endpoint_url": "http://fuzzed.invalid"})
        aws_client = AwsClient(target, PollingConfig(), _Limiter(), System())
        provider = QBusiness(aws_client)
        with aws_client.client_for("none") as client:
            client.meta.events.register_last("before-send.qbusiness", self._send)
        # Without retries, no input waits for a back-off.
        client._endpoint.__class__._needs_retry = lambda *_, **__: False  # noqa: SLF001 (botocore has no public way)
        index, source = container_id(*_IDS[:2]), source_id(*_IDS)
        self._calls: tuple[Callable[[], object], ...] = (
            lambda: provider.containers(None),
            lambda: provider.container_name(source.root),
            lambda: provider.containers(source.root),
            lambda: provider.container(index),
            lambda: provider.data_sources(index),
            lambda: provider.data_source(source),
            lambda: list(provider.sync_jobs(source)),
            lambda: provider.tags(source, ArnScope("aws", "us-east-1", "111122223333")),
        )
        self._response: tuple[int, bytes] = (200, b"{}")
        self.seeds = [bytes([0, number]) + json.dumps(body).encode() for number, body in enumerate(self.valid_bodies)]

    def _send(self, request: Any, **_: object) -> Any:
        headers = HeadersDict({"Date": "Mon, 21 Sep 2026 14:13:20 GMT"})
        status, body = self._response
        response: Any = AWSResponse(request.url, status, headers, None)  # type: ignore[arg-type] # the stub is wrong
        response._content = body  # noqa: SLF001 (otherwise it reads a socket)
        return response

    def __call__(self, data: bytes) -> None:
        """Call an operation. The first two bytes select the status and the operation, the others are the body."""
        status, operation = (*data[:2], 0, 0)[:2]
        self.call(operation % len(self._calls), STATUSES[status % len(STATUSES)], data[2:])

    def call(self, operation: int, status: int, body: bytes) -> None:
        """Call an operation with a response; only a ProviderError with a reason and a message may be raised."""
        self._response = (status, body)
        try:
            self._calls[operation]()
        except ProviderError as error:
            require(error.reason is not Reason.INTERNAL)
            require(str(error))


class ResponseMembers(ResponseBodies):
    """Valid bodies with replaced or removed members, which random bytes rarely produce."""

    def __call__(self, data: bytes) -> None:
        """Call an operation. The first byte selects it; each further pair selects a member and its value."""
        operation = (data[0] if data else 0) % len(self.valid_bodies)
        body = json.loads(json.dumps(self.valid_bodies[operation]))
        for at in range(1, len(data) - 1, 2):
            _replace_member(body, data[at], data[at + 1])
        self.call(operation, 200, json.dumps(body).encode())


def _replace_member(body: Any, member: int, value: int) -> None:
    """Replace a member of a body by an unexpected value, or remove it."""
    members: list[tuple[Any, Any]] = []
    stack = [body]
    while stack:
        container = stack.pop()
        keys = list(container) if isinstance(container, dict) else list(range(len(container)))
        members += [(container, key) for key in keys]
        stack += [container[key] for key in keys if isinstance(container[key], dict | list)]
    if members:
        container, key = members[member % len(members)]
        if value == len(UNEXPECTED_VALUES):
            del container[key]
        else:
            container[key] = json.loads(json.dumps(UNEXPECTED_VALUES[value % len(UNEXPECTED_VALUES)]))
