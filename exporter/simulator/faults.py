"""What can go wrong on demand: one table of faults, each a change to an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from exporter.simulator.tokens import AGAIN
from exporter.simulator.wire import Call, Response, ServiceError, refuse

Change = Callable[["Fault", Call, Response], Response]
FOR_EVER = 3600.0
_LISTS = {
    "ListApplications": "applications",
    "ListIndices": "indices",
    "ListDataSources": "dataSources",
    "ListDataSourceSyncJobs": "history",
    "ListTagsForResource": "tags",
}
_JSON = {"Content-Type": "application/json"}
_RESOURCE = {"resourceId": "simulated", "resourceType": "DATA_SOURCE"}


@dataclass(slots=True, eq=False)
class Fault:
    """A fault, and which requests it befalls: all that are given must fit; `times` counts down to none."""

    kind: str
    operation: str | None = None
    data_source_id: str | None = None
    application_id: str | None = None
    page: int | None = None  # 1 is the first, 2 any later one
    times: int | None = None
    until: float | None = None  # simulated time
    seconds: float = 0.5  # of a slow answer
    megabytes: float = 5.0  # of a huge one

    def befalls(self, call: Call, now: float) -> bool:
        """Tell whether a call suffers it."""
        return (
            self.operation in {None, call.operation}
            and self.data_source_id in {None, call.data_source_id}
            and self.application_id in {None, call.application_id}
            and (self.page is None or self.page == min(call.page, 2))
            and (self.times is None or self.times > 0)
            and (self.until is None or now < self.until)
        )


class Faults:
    """The faults in force; may be changed while the service runs."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._mutex = threading.Lock()

    def add(self, kind: str, **where: Any) -> Fault:  # noqa: ANN401 (Fault's own fields)
        """Put a fault in force."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no fault: {', '.join(sorted(KINDS))}")
        fault = Fault(kind, **where)
        with self._mutex:
            self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Take a fault out of force; one that is not in force is left alone."""
        with self._mutex:
            self._faults = [other for other in self._faults if other is not fault]

    def clear(self) -> None:
        """Let everything work again."""
        with self._mutex:
            self._faults.clear()

    def in_force(self) -> list[Fault]:
        """Give the faults that were put in force, those used up included."""
        with self._mutex:
            return list(self._faults)

    def take(self, call: Call, now: float) -> Fault | None:
        """Give the fault that befalls a call, once."""
        with self._mutex:
            fault = next((fault for fault in self._faults if fault.befalls(call, now)), None)
            if fault and fault.times is not None:
                fault.times -= 1
            return fault


def apply(fault: Fault, call: Call, response: Response) -> Response:
    """Give what the service answers under a fault."""
    is_list = response.status < HTTPStatus.BAD_REQUEST and call.operation in _LISTS
    if fault.kind in EDITS and not is_list:
        return response
    return KINDS[fault.kind](fault, call, response)


def result_key(call: Call) -> str:
    """Give the member that an operation's list is in."""
    return _LISTS[call.operation]


def _error(name: str, status: int, **members: Any) -> Change:  # noqa: ANN401 (JSON)
    return lambda _f, call, _r: refuse(ServiceError(name, status, f"simulated for {call.operation}", **members))


def _fixed(response: Response) -> Change:
    return lambda _fault, _call, _response: response


def _edited(edit: Callable[[dict[str, Any], Call], Any]) -> Change:
    """Change a good answer's JSON."""

    def change(_fault: Fault, call: Call, response: Response) -> Response:
        edited = edit(json.loads(response.body), call)
        return replace(response, body=json.dumps(edited).encode())

    return change


def _each_job(**members: Any) -> Change:  # noqa: ANN401 (JSON)
    """Replace members of each job; None takes one away."""

    def edit(data: dict[str, Any], call: Call) -> dict[str, Any]:
        changed = ({**job, **members} for job in data[result_key(call)])
        jobs = [{name: value for name, value in job.items() if value is not None} for job in changed]
        return {**data, result_key(call): jobs}

    return _edited(edit)


def _milliseconds(data: dict[str, Any], call: Call) -> dict[str, Any]:
    jobs = [{**job, "startTime": job["startTime"] * 1000} for job in data[result_key(call)] if "startTime" in job]
    return {**data, result_key(call): jobs}


def _looping(data: dict[str, Any], call: Call) -> dict[str, Any]:
    page = min(call.page, 2)
    a, b = f"loop-a-{page}", f"loop-b-{page}"
    return {**data, "nextToken": b if call.token == a else a}


def _same(data: dict[str, Any], call: Call) -> dict[str, Any]:
    return {**data, "nextToken": f"same-{min(call.page, 2)}"}


def _empty_page(data: dict[str, Any], call: Call) -> dict[str, Any]:
    """Give an empty page, and then the page that was asked for."""
    return data if call.token.startswith(AGAIN) else {result_key(call): [], "nextToken": AGAIN + call.token}


def _twice(data: dict[str, Any], call: Call) -> dict[str, Any]:
    return {**data, result_key(call): data[result_key(call)] * 2}


def _padded(body: bytes, megabytes: float) -> bytes:
    return json.dumps({**json.loads(body), "padding": "x" * int(megabytes * 1e6)}).encode()


# Answers of their own, or what happens to one on its way.
ANSWERS: dict[str, Change] = {
    "throttled": _error("ThrottlingException", 429),
    "throttled_bare": _fixed(Response(429, b"", {})),
    "server_error": _error("InternalServerException", 500),
    "server_error_html": _fixed(Response(503, b"<html>Service Unavailable</html>", {"Content-Type": "text/html"})),
    "server_error_list": _fixed(Response(500, b"[]", _JSON)),
    "denied": _error("AccessDeniedException", 403),
    "expired_token": _error("ExpiredTokenException", 403),
    "unrecognized_client": _error("UnrecognizedClientException", 403),
    "not_found": _error("ResourceNotFoundException", 404, **_RESOURCE),
    "html_not_found": _fixed(Response(404, b"<html>Not Found</html>", {"Content-Type": "text/html"})),
    "conflict": _error("ConflictException", 409, **_RESOURCE),
    "invalid": _error("ValidationException", 400, reason="FIELD_VALIDATION_FAILED", fields=[]),
    "reset": lambda _f, _c, response: replace(response, resets=True),
    "cut": lambda _f, _c, response: replace(response, missing=max(1, len(response.body) // 2)),
    "hang": lambda _f, _c, response: replace(response, delay=FOR_EVER),
    "huge": lambda fault, _c, response: replace(response, body=_padded(response.body, fault.megabytes)),
    "slow": lambda fault, _c, response: replace(response, delay=fault.seconds),
    "no_date": lambda _f, _c, response: replace(response, headers={**response.headers, "Date": ""}),
    "truncated_json": lambda _f, _c, response: replace(response, body=response.body[: len(response.body) // 2]),
    "empty_body": _fixed(Response(200, b"", _JSON)),
    "empty_object": _fixed(Response(200, b"{}", _JSON)),
    "not_object": _fixed(Response(200, b"[]", _JSON)),
    "html": _fixed(Response(200, b"<html><body>Sign in</body></html>", {"Content-Type": "text/html"})),
    "binary": _fixed(Response(200, bytes(range(256)), _JSON)),
    "deep": _fixed(Response(200, b'{"history":' + b"[" * 100_000, _JSON)),
}

# Changes to a good answer.
EDITS: dict[str, Change] = {
    "result_object": _edited(lambda data, call: {**data, result_key(call): {}}),
    "result_text": _edited(lambda data, call: {**data, result_key(call): ""}),
    "result_null": _edited(lambda data, call: {**data, result_key(call): None}),
    "item_text": _edited(lambda data, call: {**data, result_key(call): ["job"]}),
    "metrics_text": _each_job(metrics="many"),
    "metrics_list": _each_job(metrics=[]),
    "status_number": _each_job(status=5),
    "error_text": _each_job(error="bad"),
    "start_object": _each_job(startTime={}),
    "same_token": _edited(_same),
    "looping_tokens": _edited(_looping),
    "empty_page": _edited(_empty_page),
    "repeated": _edited(_twice),
    "unknown_status": _each_job(status="PAUSED"),
    "milliseconds": _edited(_milliseconds),
    "start_in_words": _each_job(startTime="yesterday"),
    "no_execution_id": _each_job(executionId=None),
    "no_start": _each_job(startTime=None),
    "no_metrics": _each_job(metrics=None),
    "end_before_start": _each_job(endTime=1_000_000_000),
    "odd_counters": _each_job(metrics={"documentsAdded": "12x", "documentsFailed": "-3", "documentsScanned": 12.5}),
    "huge_counters": _each_job(metrics={"documentsAdded": "9" * 40, "documentsModified": "1e99"}),
}

KINDS = ANSWERS | EDITS
