"""The service without sockets: its API, its faults and a log of its requests."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from exporter.simulator import faults
from exporter.simulator.clock import ScaledClock
from exporter.simulator.qbusiness import QBusinessApi
from exporter.simulator.sts import Sts, action_of, is_for_sts
from exporter.simulator.wire import ApiCall, IamPermission, Request, Response, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.simulator.clock import SimulatedClock
    from exporter.simulator.faults import Fault
    from exporter.simulator.fleet import Fleet
    from exporter.simulator.job_form import JobForm

MAX_LOGGED = 200_000  # the number of requests in the log; a demo may run for weeks


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


class Authorizer(Protocol):
    """A policy that decides which operations are allowed."""

    def allows(self, action: str, resources: list[str]) -> bool:
        """Return whether an action is allowed on all of these resources."""


class ServiceApi(Protocol):
    """The API of one service over a fleet, without sockets and faults."""

    @property
    def job_form(self) -> JobForm:
        """The form in which the service lists sync jobs."""

    def parse_call(self, request: Request) -> ApiCall:
        """Return the call that a request makes; raise ServiceError for an unknown operation."""

    def handle(self, request: Request, now: float) -> Response:
        """Return the response to a request; raise ServiceError where AWS would return an error."""

    def error_response(self, error: ServiceError) -> Response:
        """Return an error in the format of the service."""

    def permission(self, call: ApiCall) -> IamPermission:
        """Return the permission that a call needs."""


class SimulatedService:
    """A service over a fleet, and STS; `respond` returns a response and how its transmission fails.

    `make_api` makes its API, by default the API of Amazon Q Business. `listing` has the options of the API: order,
    time_filter, paging.
    """

    def __init__(
        self,
        fleet: Fleet,
        clock: SimulatedClock | None = None,
        make_api: Callable[..., ServiceApi] = QBusinessApi,
        **listing: str,
    ) -> None:
        self.clock = clock or ScaledClock()
        self.fleet = fleet
        self.faults = faults.ActiveFaults()
        self._api = make_api(fleet, **listing)
        self.sts = Sts(fleet.account)
        self.policy: Authorizer | None = None  # without one, everything is allowed
        self.date_error = 0.0
        """Seconds by which the Date header is wrong, as behind a proxy with a wrong clock."""
        self.requests: list[LoggedRequest] = []
        self._log_mutex = threading.Lock()

    @property
    def api(self) -> Any:  # noqa: ANN401 (tests change settings that only its class has)
        """The API that responds."""
        return self._api

    def parse_call(self, request: Request) -> ApiCall:
        """Return the call that a request makes, including calls of STS; raise ServiceError for an unknown operation."""
        return ApiCall(action_of(request), is_sts=True) if is_for_sts(request) else self._api.parse_call(request)

    def respond(self, request: Request) -> Response:
        """Return the response to a request at this time, including faults. The caller implements delays."""
        now = self.clock.now()
        call, fault = ApiCall("Unknown"), None
        try:
            call = self.parse_call(request)
            fault = self.faults.take(call, now)
            response = self._handle(call, request, now)
        except ServiceError as error:
            response = self._api.error_response(error)
        if fault:
            response = self._with_fault(fault, call, response)
        headers = {"Date": formatdate(now + self.date_error, usegmt=True), "x-amzn-RequestId": str(uuid4())}
        response = replace(response, headers={**headers, **response.headers})
        agent = request.headers.get("user-agent", "")
        name = fault.kind if fault else None
        self._log(LoggedRequest(call, request.access_key, now, time.monotonic(), response.status, name, agent))
        return response

    def _handle(self, call: ApiCall, request: Request, now: float) -> Response:
        if call.is_sts:
            return self.sts.handle(request, now)
        self.sts.check(request.access_key, now)
        self._authorize(call)
        return self._api.handle(request, now)

    def _authorize(self, call: ApiCall) -> None:
        if self.policy is None:
            return
        needed = self._api.permission(call)
        if not self.policy.allows(needed.action, needed.resources):
            message = f"User is not authorized to perform: {needed.action} on resource: {needed.resources[-1]}"
            raise ServiceError("AccessDeniedException", 403, message)

    def _with_fault(self, fault: Fault, call: ApiCall, response: Response) -> Response:
        try:
            return faults.apply(fault, call, response, self._api.job_form)
        except ServiceError as error:
            return self._api.error_response(error)

    def _log(self, request: LoggedRequest) -> None:
        with self._log_mutex:
            self.requests.append(request)
            if len(self.requests) > MAX_LOGGED:
                del self.requests[: MAX_LOGGED // 2]
