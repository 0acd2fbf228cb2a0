"""The way to the simulated service without sockets: all of botocore that reads, writes and tries again is the real one.

What is left out is signing and HTTP, most of what a request costs. Every answer goes as bytes through the program's own
hooks, botocore's parser, its paginator and its rules for trying again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

import botocore.exceptions as boto_errors
from botocore import xform_name
from botocore.awsrequest import HeadersDict
from botocore.hooks import HierarchicalEmitter
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.paginate import Paginator
from botocore.parsers import ResponseParserFactory
from botocore.retries import quota, standard
from botocore.serialize import create_serializer

from exporter.aws import AwsClient
from exporter.aws.client import ATTEMPTS
from exporter.errors import ProviderError, Reason
from exporter.simulator.wire import ApiCall, Request, Response

if TYPE_CHECKING:
    from random import Random

    from exporter.config import TargetConfig
    from exporter.simulator.service import SimulatedService
    from simulation.virtual_clock import VirtualHost

SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/qbusiness/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)
_MODEL = ServiceModel(Loader().load_service_model("qbusiness", "service-2"))
_PAGES: dict[str, Any] = Loader().load_service_model("qbusiness", "paginators-1")["pagination"]
_OPERATIONS = {xform_name(name): _MODEL.operation_model(name) for name in _MODEL.operation_names}
_SERIALIZER = create_serializer("rest-json", include_validation=False)
_MULTIPLE_CHOICES = 300


def _parser() -> Any:
    factory = ResponseParserFactory()
    factory.set_parser_defaults(timestamp_parser=lambda value: value)  # as exporter.aws.client has it
    return factory.create_parser("rest-json")


_PARSER = _parser()


class Line(Protocol):
    """What lies between a process and the service."""

    service: SimulatedService
    dice: Random

    def is_cut(self) -> bool:
        """Tell whether nothing gets through."""

    def latency(self) -> float:
        """Give the seconds that an answer takes."""

    def account(self) -> str | None:
        """Give what STS says; None where it does not."""

    def sent(self, target: str) -> None:
        """Take note that an attempt of a target is on its way."""

    def answered(self, target: str, call: ApiCall, code: str, *, is_usable: bool) -> None:
        """Take note of what an attempt came to."""


class VirtualAwsClient(AwsClient):
    """A connection whose client sends nothing over the network."""

    def __init__(self, line_of: Any, target: TargetConfig, *rest: Any) -> None:
        """`line_of` gives the line of a target."""
        super().__init__(target, *rest)
        self._line: Line = line_of(target)

    def account(self) -> str:
        """Tell which account this is, as far as anyone says."""
        if role_account := self.role_account():
            return role_account
        account = self._line.account()
        if account is None:
            raise ProviderError(Reason.CONNECTION, "STS cannot be reached", operation="GetCallerIdentity")
        return account

    def _make_client(self) -> Any:
        host: Any = self._clock
        client = Client(self._line, host, self.name, self._polling.timeout)
        self._hooks.attach(client)  # type: ignore[arg-type] # as far as anyone looks, it is one
        return client


@dataclass(frozen=True, slots=True)
class _Http:
    status_code: int


class Client:
    """A client of Amazon Q Business that asks the simulated service directly."""

    def __init__(self, line: Line, host: VirtualHost, target: str, timeout: float) -> None:
        self.meta = SimpleNamespace(events=HierarchicalEmitter())
        # Where the program bounds what comes from a socket.
        pools = SimpleNamespace(pool_classes_by_scheme={})
        self._endpoint = SimpleNamespace(http_session=SimpleNamespace(_manager=pools, _pool_classes_by_scheme={}))
        self._line, self._host, self._target, self._timeout = line, host, target, timeout
        detector = standard.ThrottlingErrorDetector(standard.RetryEventAdapter())
        self._quota = standard.RetryQuotaChecker(quota.RetryQuota(), detector)
        self._policy = standard.RetryPolicy(
            standard.StandardRetryConditions(max_attempts=ATTEMPTS),
            standard.ExponentialBackoff(
                random=line.dice.random, service_name="qbusiness", throttling_detector=detector
            ),
        )

    def __getattr__(self, method: str) -> Any:
        """Give the method of an operation."""
        if method not in _OPERATIONS:
            raise AttributeError(method)
        return partial(self._call, _OPERATIONS[method])

    def get_paginator(self, method: str) -> Any:
        """Give botocore's paginator for an operation."""
        model = _OPERATIONS[method]
        return Paginator(getattr(self, method), _PAGES[model.name], model)

    def _call(self, model: OperationModel, **arguments: Any) -> dict[str, Any]:
        written = _SERIALIZER.serialize_to_request(arguments, model)
        query = {name: str(value) for name, value in written["query_string"].items()}
        request = Request(written["method"], unquote(written["url_path"]), query, {"authorization": SIGNATURE})
        context: Any = {}
        for number in count(1):
            http, parsed, error = self._attempt(model, request)
            if http and http.status_code < _MULTIPLE_CHOICES:
                self._quota.release_retry_quota(context, http)
                return dict(parsed)
            outcome = standard.RetryContext(number, model, parsed, http, error, context)
            if not (self._policy.should_retry(outcome) and self._quota.acquire_retry_quota(outcome)):
                raise error or boto_errors.ClientError(parsed, model.name)
            self._host.pause(self._policy.compute_retry_delay(outcome))
        raise AssertionError("botocore always comes to an end")

    def _attempt(self, model: OperationModel, request: Request) -> tuple[_Http | None, Any, Exception | None]:
        """Send a request once; the errors are those that botocore makes of what happens on the way."""
        events, line, name = self.meta.events, self._line, model.name
        events.emit(f"before-send.qbusiness.{name}", request=request)
        line.sent(self._target)
        is_cut = line.is_cut()
        response = None if is_cut else line.service.respond(request)
        call = line.service.api.parse_call(request) if is_cut else line.service.requests[-1].call
        error = self._travel(response)
        if response is None or error is not None:
            line.answered(self._target, call, type(error).__name__, is_usable=False)
            events.emit(f"response-received.qbusiness.{name}", exception=error, parsed_response=None)
            return None, {}, error
        return _Http(response.status), self._read(model, call, response), None

    def _travel(self, response: Response | None) -> Exception | None:
        """Let an answer come, or give what becomes of it."""
        if response is None:
            self._host.pause(0.01)
            return boto_errors.EndpointConnectionError(endpoint_url="simulated", error="refused")
        seconds = self._line.latency() + response.delay + response.byte_interval * len(response.body)
        self._host.pause(min(seconds, self._timeout))
        if seconds > self._timeout:
            return boto_errors.ReadTimeoutError(endpoint_url="simulated", error="timed out")
        if response.is_reset or response.missing_bytes:
            return boto_errors.ConnectionClosedError(endpoint_url="simulated", error="closed")
        return None

    def _read(self, model: OperationModel, call: ApiCall, response: Response) -> dict[str, Any]:
        headers = HeadersDict({name.lower(): value for name, value in response.headers.items() if value})
        answer = {"headers": headers, "status_code": response.status, "body": response.body, "context": {}}
        is_usable = False
        try:
            self.meta.events.emit(
                f"before-parse.qbusiness.{model.name}",
                operation_model=model,
                response_dict=answer,
                customized_response_dict={},
            )
            parsed: dict[str, Any] = _PARSER.parse(answer, model.output_shape)
            is_usable = response.status < _MULTIPLE_CHOICES
        finally:
            self._line.answered(self._target, call, str(response.status), is_usable=is_usable)
        return parsed
