"""What happens on the wire: every HTTP attempt, AWS's clock, and the shape of an answer before botocore touches it."""

from __future__ import annotations

import json
import re
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import botocore.exceptions as boto_errors

from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel
    from types_boto3_qbusiness import QBusinessClient

    from exporter.runtime import Clock

_ERROR_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
_CODE_IN_XML = re.compile(rb"<Code>([A-Za-z][A-Za-z0-9]{0,63})</Code>")
_started: ContextVar[float] = ContextVar("started")  # of the attempt that is under way in this thread


class RequestObserver(Protocol):
    """Who wants to know of every HTTP attempt, the SDK's own retries included."""

    def acquire(self) -> None:
        """Wait until the request budget allows one more."""

    def finished(self, operation: str, code: str, seconds: float) -> None:
        """Take note of an attempt: `code` is the HTTP status, AWS's error code, `timeout` or `connection`."""


class AwsClock:
    """AWS's clock, from the Date header of its answers; the host's own until the first has come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset: float | None = None

    def note(self, date: str) -> float:
        """Learn from a Date header and give its time; what cannot be read changes nothing."""
        try:
            said = _read_date(date)
        except (TypeError, ValueError):
            return self.now()
        self._offset = said - self._clock.monotonic()
        return said

    def now(self) -> float:
        """Give AWS's time in seconds since the epoch, behind by a second at most and what the last answer took."""
        offset = self._offset
        return self._clock.time() if offset is None else self._clock.monotonic() + offset


class RequestHooks:
    """Sees every HTTP attempt of a client, and every answer before botocore has made something of it."""

    def __init__(self, observer: RequestObserver, clock: Clock, aws_clock: AwsClock | None = None) -> None:
        self.clock = aws_clock or AwsClock(clock)
        self._time = clock
        self._observer = observer

    def attach(self, client: QBusinessClient) -> None:
        """Listen to the attempts of a client, and look at what it is answered."""
        events = client.meta.events
        events.register("before-send.qbusiness", self._before_send)
        events.register("before-parse.qbusiness", self._before_parse)
        events.register("response-received.qbusiness", self._response_received)

    def attach_sts(self, client: Any) -> None:
        """Listen to the attempts of a client of the Security Token Service."""
        client.meta.events.register("before-send.sts", self._before_send)
        client.meta.events.register("before-parse.sts", self._token_received)
        client.meta.events.register("response-received.sts", self._response_received)

    def _before_send(self, **_: Any) -> None:
        self._observer.acquire()
        _started.set(self._time.monotonic())

    def _before_parse(self, operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
        status, headers, body = response_dict["status_code"], response_dict["headers"], response_dict["body"]
        self.clock.note(headers.get("date", ""))
        self._finished(operation_model.name, _answer_code(status, headers, body))
        if status < HTTPStatus.MULTIPLE_CHOICES:
            check_shape(operation_model, body)
        elif not isinstance(_as_json(body), dict):
            response_dict["body"] = b"{}"  # botocore stumbles over an error that is JSON and no object

    def _response_received(self, exception: Exception | None, event_name: str, **_: Any) -> None:
        if exception is None:
            return
        timed_out = isinstance(exception, boto_errors.ConnectTimeoutError | boto_errors.ReadTimeoutError)
        self._finished(event_name.rsplit(".", 1)[-1], "timeout" if timed_out else "connection")

    def _token_received(self, operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
        # Before it is parsed: what is no XML ends there, and was an attempt all the same.
        status, body = response_dict["status_code"], response_dict["body"]
        code = _CODE_IN_XML.search(body) if status >= HTTPStatus.MULTIPLE_CHOICES else None
        self._finished(operation_model.name, code[1].decode() if code else str(status))

    def _finished(self, operation: str, code: str) -> None:
        self._observer.finished(operation, code, self._time.monotonic() - _started.get())


@lru_cache(maxsize=64)  # each answer's is read more than once, and many come within a second
def _read_date(date: str) -> float:
    return parsedate_to_datetime(date).timestamp()


def check_shape(operation: OperationModel, body: bytes) -> None:
    """Raise ProviderError unless a successful answer is a JSON object with the lists that the operation promises.

    botocore makes `{}` of a body that is cut short, empty or HTML, and an empty list of a key with a wrong type.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        # What a Get answers may name hosts and secrets, and goes into no message.
        beginning = f", beginning {body[:40]!r}" if operation.name.startswith("List") else ""
        raise _malformed(operation.name, f"not JSON ({error}); {len(body)} bytes{beginning}") from None
    if not isinstance(answer, dict):
        raise _malformed(operation.name, f"a {type(answer).__name__} where an object belongs")
    if not operation.name.startswith("List"):
        return
    members = operation.output_shape.members if operation.output_shape else {}
    for name, shape in members.items():
        if shape.type_name == "list" and not isinstance(answer.get(name), list):
            found = type(answer[name]).__name__ if name in answer else "nothing"
            raise _malformed(operation.name, f"{found} where the list `{name}` belongs")


def _as_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _malformed(operation: str, what: str) -> ProviderError:
    message = f"the answer was {what}"
    return ProviderError(Reason.MALFORMED_RESPONSE, message, operation=operation, code="MalformedResponse")


def _answer_code(status: int, headers: Mapping[str, str], body: bytes) -> str:
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return str(status)
    code = headers.get("x-amzn-errortype", "")
    if not code:
        answer = _as_json(body)
        said = answer.get("__type") or answer.get("code") if isinstance(answer, dict) else ""
        code = said if isinstance(said, str) else ""
    code = code.split(":", 1)[0].rsplit("#", 1)[-1]
    return code if _ERROR_CODE.fullmatch(code) else str(status)
