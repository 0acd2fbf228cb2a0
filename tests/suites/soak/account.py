"""The simulated account of the soak, in its own process or in the exporter's."""

from __future__ import annotations

import multiprocessing
import random
from typing import TYPE_CHECKING, Any

from exporter.aws.credentials import AwsCredentials
from exporter.simulator.server import SimulatedEndpoint
from exporter.simulator.service import LoggedRequest, SimulatedService
from simulation.simulated_account import ServiceTime
from tests.suites.soak.fleet import FleetPlan, make_fleet
from tests.support.oracle import Totals, expected_totals

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

    from exporter.simulator.fleet import Fleet
    from exporter.simulator.wire import ApiCall, Request, Response
    from simulation.virtual_clock import VirtualClock

CONTEXT = multiprocessing.get_context("spawn")  # a fork would copy the exporter's memory


class AccountProcess:
    """An account whose service runs over real HTTP in its own process."""

    def __init__(self, plan: FleetPlan, now: Any) -> None:
        """Start the process. `now` is the time in shared memory, in seconds since the epoch; None is the host's own."""
        self._pipe, remote_pipe = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=_serve, args=(remote_pipe, plan, now), daemon=True)
        self._process.start()
        self.url: str = self._pipe.recv()

    def expected_totals(self, until: float) -> dict[str, Totals]:
        """Return the correct totals of each data source at a time."""
        self._pipe.send(until)
        totals: dict[str, Totals] = self._pipe.recv()
        return totals

    def stop(self) -> None:
        """Stop the process."""
        self._process.terminate()
        self._process.join()


class StaticCredentials:
    """Credentials that never expire. The source has no state, so that its memory does not grow."""

    def obtain(self, *_: object) -> AwsCredentials:
        """Return the credentials."""
        return AwsCredentials("AKID", "simulated")

    def inherit(self, *_: object) -> None:
        """Ignore credentials that a reload hands over."""


class InProcessAccount:
    """An account in the process of the exporter, without sockets. Its own memory usage is small and constant.

    It is also the network between the exporter and the service, which never fails.
    """

    def __init__(self, plan: FleetPlan, clock: VirtualClock) -> None:
        self.url = "http://account.example"
        self.rng = random.Random(1)
        self.credentials = StaticCredentials()
        self.service = _ServiceWithoutLog(make_fleet(plan), ServiceTime(clock))
        self._watched_since = plan.watched_since

    def expected_totals(self, until: float) -> dict[str, Totals]:
        """Return the correct totals of each data source at a time."""
        return _expected_totals(self.service.fleet, self._watched_since, until)

    def stop(self) -> None:
        """Do nothing, because there is no process to stop."""

    def is_cut(self) -> bool:
        """Return that every request reaches the service."""
        return False

    def parse_call(self, request: Request) -> ApiCall:
        """Return the call that a request makes."""
        return self.service.parse_call(request)

    def respond(self, _target: str, request: Request) -> Response:
        """Return the service's response to a request."""
        return self.service.respond(request)

    def latency(self) -> float:
        """Return the seconds that a response takes."""
        return 0.08

    def account(self) -> str:
        """Return the account id that STS reports."""
        return self.service.fleet.account

    def record_attempt(self, target: str) -> None:
        """Ignore an attempt."""

    def record_response(self, target: str, call: ApiCall, code: str, *, is_usable: bool) -> None:
        """Ignore the result of an attempt."""


class _ServiceWithoutLog(SimulatedService):
    """A service that logs its last request only, so that its log does not grow with the exporter's memory."""

    def _log(self, logged: LoggedRequest) -> None:
        self.requests[:] = [logged]


class _SharedServiceTime:
    def __init__(self, shared: Any) -> None:
        self._shared = shared

    def now(self) -> float:
        return float(self._shared.value)


def _serve(pipe: Pipe, plan: FleetPlan, now: Any) -> None:
    fleet = make_fleet(plan)
    with SimulatedEndpoint(fleet, _SharedServiceTime(now) if now else None) as service:
        pipe.send(service.url)
        while True:
            pipe.send(_expected_totals(fleet, plan.watched_since, pipe.recv()))


def _expected_totals(fleet: Fleet, watched_since: float, until: float) -> dict[str, Totals]:
    return {source.id: expected_totals(source, watched_since, until) for _, _, source in fleet.data_sources()}
