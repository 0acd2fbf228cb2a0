"""The service without sockets: its API, its faults on demand, and a log of what was asked."""

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
from exporter.simulator.wire import Call, Request, Response, ServiceError, refuse

if TYPE_CHECKING:
    from exporter.simulator.clock import SimulatedClock
    from exporter.simulator.fleet import Fleet

REMEMBERED = 200_000  # requests: a demo may run for weeks


@dataclass(frozen=True, slots=True)
class Logged:
    """One request that the service saw: what it asked, by whom, when (simulated and monotonic), and what came of it."""

    call: Call
    access_key: str
    at: float
    monotonic: float
    status: int
    fault: str | None
    user_agent: str


class Service:
    """Q Business over a fleet: `respond` says what would be answered, and how it would fail on its way.

    `unpromised` is what Api knows by that word: order, reading, pages.
    """

    def __init__(self, fleet: Fleet, clock: SimulatedClock | None = None, **unpromised: str) -> None:
        self.clock = clock or ScaledClock()
        self.fleet = fleet
        self.faults = faults.Faults()
        self.api = Api(fleet, **unpromised)
        self.requests: list[Logged] = []
        self._logging = threading.Lock()

    def respond(self, request: Request) -> Response:
        """Answer a request as the service is now, faults included; waiting is left to who sends it."""
        now = self.clock.now()
        call, fault = Call("Unknown"), None
        try:
            call = self.api.understand(request)
            fault = self.faults.take(call, now)
            response = self.api.handle(request, now)
        except ServiceError as error:
            response = refuse(error)
        if fault:
            response = faults.apply(fault, call, response)
        headers = {"Date": formatdate(now, usegmt=True), "x-amzn-RequestId": str(uuid4())}
        response = replace(response, headers={**headers, **response.headers})
        agent = request.headers.get("user-agent", "")
        name = fault.kind if fault else None
        self._log(Logged(call, request.access_key, now, time.monotonic(), response.status, name, agent))
        return response

    def asked(self, operation: str | None = None, data_source_id: str | None = None) -> list[Logged]:
        """Give the requests of an operation, for a data source."""
        return [
            logged
            for logged in list(self.requests)
            if operation in {None, logged.call.operation} and data_source_id in {None, logged.call.data_source_id}
        ]

    def _log(self, logged: Logged) -> None:
        with self._logging:
            self.requests.append(logged)
            if len(self.requests) > REMEMBERED:
                del self.requests[: REMEMBERED // 2]
