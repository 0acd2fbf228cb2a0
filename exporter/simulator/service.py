"""The service without sockets: its API, its faults and a log of its requests."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import TYPE_CHECKING
from uuid import uuid4

from exporter.simulator import faults
from exporter.simulator.api import Api
from exporter.simulator.clock import ScaledClock
from exporter.simulator.wire import ApiCall, Request, Response, ServiceError, error_response

if TYPE_CHECKING:
    from exporter.simulator.clock import SimulatedClock
    from exporter.simulator.fleet import Fleet

MAX_LOGGED = 200_000  # requests; a demo may run for weeks


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """A request in the log: its call, its access key, its simulated and monotonic time, and its result."""

    call: ApiCall
    access_key: str
    at: float
    monotonic: float
    status: int
    fault: str | None
    user_agent: str


class SimulatedService:
    """Amazon Q Business over a fleet; `respond` returns a response and how its transmission fails.

    `listing` are the options of Api: order, time_filter, paging.
    """

    def __init__(self, fleet: Fleet, clock: SimulatedClock | None = None, **listing: str) -> None:
        self.clock = clock or ScaledClock()
        self.fleet = fleet
        self.faults = faults.ActiveFaults()
        self.api = Api(fleet, **listing)
        self.date_error = 0.0
        """Seconds by which the Date header is wrong, as behind a proxy with a wrong clock."""
        self.requests: list[LoggedRequest] = []
        self._log_mutex = threading.Lock()

    def respond(self, request: Request) -> Response:
        """Return the response to a request at this time, faults included. The caller does the waiting."""
        now = self.clock.now()
        call, fault = ApiCall("Unknown"), None
        try:
            call = self.api.parse_call(request)
            fault = self.faults.take(call, now)
            response = self.api.handle(request, now)
        except ServiceError as error:
            response = error_response(error)
        if fault:
            response = faults.apply(fault, call, response)
        headers = {"Date": formatdate(now + self.date_error, usegmt=True), "x-amzn-RequestId": str(uuid4())}
        response = replace(response, headers={**headers, **response.headers})
        agent = request.headers.get("user-agent", "")
        name = fault.kind if fault else None
        self._log(LoggedRequest(call, request.access_key, now, time.monotonic(), response.status, name, agent))
        return response

    def logged(self, operation: str | None = None, data_source_id: str | None = None) -> list[LoggedRequest]:
        """Return the logged requests, or those of an operation or a data source."""
        return [
            request
            for request in list(self.requests)
            if operation in {None, request.call.operation} and data_source_id in {None, request.call.source}
        ]

    def _log(self, request: LoggedRequest) -> None:
        with self._log_mutex:
            self.requests.append(request)
            if len(self.requests) > MAX_LOGGED:
                del self.requests[: MAX_LOGGED // 2]
