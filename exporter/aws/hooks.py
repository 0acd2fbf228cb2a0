"""Hooks on every HTTP request of a client: rate limit, request metrics, AWS's clock, and checks of responses."""

from __future__ import annotations

import json
import re
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import botocore.exceptions as boto_errors

from exporter.errors import ProviderError, Reason
from exporter.runtime import AwsClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.model import OperationModel

    from exporter.aws.credentials import Attempt
    from exporter.runtime import Clock

_ERROR_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
_ERROR_CODE_IN_XML = re.compile(rb"<Code>([A-Za-z][A-Za-z0-9]{0,63})</Code>")
_COLLECTIONS = {"list": (list, "a list"), "map": (dict, "an object")}
_started_at: ContextVar[float] = ContextVar("started_at")  # the start of the attempt in flight in this thread


class RequestObserver(Protocol):
    """Receives every HTTP attempt, including the SDK's own retries."""

    def acquire(self, operation: str) -> None:
        """Wait until the rate limiter allows one more attempt of an operation."""

    def finished(self, operation: str, code: str, seconds: float, *, is_usable: bool = True) -> None:
        """Record an attempt; `code` is the HTTP status, AWS's error code, `timeout` or `connection`.

        `is_usable` is False for a successful response whose body AWS would not send, such as a page in HTML.
        """


class RequestHooks:
    """Registers hooks for every HTTP attempt of a client, and for every response before botocore parses it."""

    def __init__(self, observer: RequestObserver, clock: Clock, aws_clock: AwsClock | None = None) -> None:
        self.clock = aws_clock or AwsClock(clock)
        self._host_clock = clock
        self._observer = observer
        self._has_observed = False

    def with_own_clock(self, observer: RequestObserver) -> RequestHooks:
        """Return hooks for the client of another service, whose responses set another clock."""
        return RequestHooks(observer, self._host_clock)

    def attach(self, client: Any) -> None:
        """Observe the attempts of a client, and check its responses.

        The names of botocore's events contain the service id of the client, as in `before-send.bedrock-agent`. Handlers
        that are registered under another name, such as the endpoint's, are never called, without any error. So the
        first response of the client raises an error unless it has passed these handlers.
        """
        self._attach(client, self._before_sign, self._before_parse)
        client.meta.events.register("after-call", self._require_observed)

    def attach_sts(self, client: Any) -> None:
        """Observe the attempts of a client of the Security Token Service."""
        self._attach(client, self._before_sign, self._before_parse_token_service)

    def attach_token_service(self, client: Any, attempt: Attempt) -> None:
        """Observe the HTTP attempts of a client that obtains credentials, and record in `attempt` what it waits for."""

        def before_build(params: Mapping[str, Any], model: OperationModel, **_: Any) -> None:
            role = params.get("RoleArn")
            attempt.activity = f"{model.name} of {role}" if role else model.name

        def before_sign(event_name: str, **_: Any) -> None:
            with attempt.suspended():
                self._before_sign(event_name)

        client.meta.events.register("before-parameter-build", before_build)
        self._attach(client, before_sign, self._before_parse_token_service)

    def _attach(self, client: Any, before_sign: Callable[..., None], before_parse: Callable[..., None]) -> None:
        """Register the hooks of every attempt, in the order of the events. botocore signs each one, also retries."""
        service, events = _event_name(client), client.meta.events
        events.register(f"before-sign.{service}", before_sign)
        events.register(f"before-send.{service}", self._before_send)
        events.register(f"before-parse.{service}", before_parse)
        events.register(f"response-received.{service}", self._response_received)

    def _before_sign(self, event_name: str, **_: Any) -> None:
        """Wait for the rate limiter.

        A signature is valid for minutes, and only as long as its credentials. If a signed request waited for the rate
        limiter, AWS would refuse it after a long wait, or after its credentials have been replaced.
        """
        self._observer.acquire(_operation_of(event_name))

    def _before_send(self, **_: Any) -> None:
        _started_at.set(self._host_clock.monotonic())

    def _before_parse(self, operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
        status, headers, body = response_dict["status_code"], response_dict["headers"], response_dict["body"]
        self._has_observed = True
        self.clock.update(headers.get("date", ""))
        # The SDK ignores the header in the JSON protocol. So the metrics would have another code than the error.
        is_json = operation_model.service_model.metadata.get("protocol") == "json"
        header = "" if is_json else headers.get("x-amzn-errortype", "")
        code = _response_code(status, header, body)
        try:
            if status < HTTPStatus.MULTIPLE_CHOICES:
                check_response(operation_model, body)
        except ProviderError:
            self._finished(operation_model.name, code, is_usable=False)
            raise
        self._finished(operation_model.name, code)
        if status >= HTTPStatus.MULTIPLE_CHOICES and not isinstance(_parse_json(body), dict):
            response_dict["body"] = b"{}"  # botocore's parser fails on an error body that is not a JSON object

    def _require_observed(self, event_name: str, **_: Any) -> None:
        if not self._has_observed:
            message = f"the response to {_operation_of(event_name)} did not pass the request hooks, and was not counted"
            raise AssertionError(message)

    def _response_received(self, exception: Exception | None, event_name: str, **_: Any) -> None:
        if exception is None:
            return
        timed_out = isinstance(exception, boto_errors.ConnectTimeoutError | boto_errors.ReadTimeoutError)
        self._finished(_operation_of(event_name), "timeout" if timed_out else "connection")

    def _before_parse_token_service(
        self, operation_model: OperationModel, response_dict: dict[str, Any], **_: Any
    ) -> None:
        # The attempt is counted before its body is parsed, because a body that is not XML raises an error there.
        status, body = response_dict["status_code"], response_dict["body"]
        code = _ERROR_CODE_IN_XML.search(body) if status >= HTTPStatus.MULTIPLE_CHOICES else None
        self._finished(operation_model.name, code[1].decode() if code else str(status))

    def _finished(self, operation: str, code: str, *, is_usable: bool = True) -> None:
        seconds = self._host_clock.monotonic() - _started_at.get()
        self._observer.finished(operation, code, seconds, is_usable=is_usable)


def _event_name(client: Any) -> str:
    """Return the name that the service of a client has in the names of events."""
    return str(client.meta.service_model.service_id.hyphenize())


def _operation_of(event_name: str) -> str:
    """Return the operation in the name of an event, which is the last part, as in `before-send.SERVICE.OPERATION`."""
    return event_name.rsplit(".", 1)[-1]


def check_response(operation: OperationModel, body: bytes) -> None:
    """Raise ProviderError if a successful response is not a JSON object with the lists of its operation.

    botocore would return `{}` for a body that is truncated, empty or HTML, and an empty list for a key of a wrong type.
    The exporter would then mistake a failure for an empty listing.
    """
    is_list = operation.name.startswith("List")
    try:
        response = json.loads(body)
    except (ValueError, RecursionError) as error:
        # Responses of Get operations may contain host names and secrets, so the message does not quote them.
        quoted = f", starting with {body[:40]!r}" if is_list else ""
        raise _malformed(operation.name, f"not JSON ({error}), {len(body)} bytes{quoted}") from None
    if not isinstance(response, dict):
        raise _malformed(operation.name, f"expected an object, got {_type_name(response)}")
    members = operation.output_shape.members if is_list and operation.output_shape else {}
    for name, shape in members.items():
        kind, expected = _COLLECTIONS.get(shape.type_name, (object, ""))
        if not isinstance(response.get(name), kind):
            found = _type_name(response[name]) if name in response else "no such key"
            raise _malformed(operation.name, f"expected {expected} in `{name}`, got {found}")


def _malformed(operation: str, details: str) -> ProviderError:
    message = f"malformed response: {details}"
    return ProviderError(Reason.MALFORMED_RESPONSE, message, operation=operation, code="MalformedResponse")


def _type_name(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _parse_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _response_code(status: int, code: str, body: bytes) -> str:
    """Return AWS's error code from the header or the body; the HTTP status for success, or without a code."""
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return str(status)
    if not code:
        response = _parse_json(body)
        found = response.get("__type") or response.get("code") if isinstance(response, dict) else ""
        code = found if isinstance(found, str) else ""
    code = code.split(":", 1)[0].rsplit("#", 1)[-1]
    return code if _ERROR_CODE.fullmatch(code) else str(status)
