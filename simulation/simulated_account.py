"""A simulated account: its fleet, its service, the faults of both, and the network."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING

from exporter.domain.service import Use
from exporter.domain.units import MINUTE
from exporter.simulator.service import SimulatedService
from exporter.simulator.wire import ApiCall, IamPermission, Request, Response, ServiceError
from simulation.response_log import ResponseLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from exporter.simulator.faults import Fault
    from exporter.simulator.fleet import Fleet
    from exporter.simulator.job_form import JobForm
    from simulation.credential_source import CredentialSource
    from simulation.services import ServiceTraits
    from simulation.trace import Trace
    from simulation.virtual_clock import VirtualClock

MAX_FIRST_POLL_AGE = 15 * MINUTE  # the maximum age of the data in a data source's first poll
RATE_WINDOW = 10.0  # seconds in which the invariants count attempts


class SimulatorError(BaseException):
    """The simulated service has a bug, which ends the run.

    It is not an Exception: the program would handle that as a failed request, and no invariant would notice it.
    """


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """The service's clock, the only one that is always correct."""

    clock: VirtualClock

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self.clock.now


class LaggingApi:
    """The API of a service with stale replicas.

    Responses are `lag` seconds old, or have each job twice, as it is now and as it was `duplicate_age` seconds ago.
    After `frozen_at`, responses do not change any more.
    """

    lag = 0.0
    duplicate_age = 0.0
    frozen_at: float | None = None

    def __init__(self, traits: ServiceTraits, fleet: Fleet, **listing: str) -> None:
        self._api = traits.make_api(fleet, **listing)
        self._sync_jobs = traits.sync_jobs
        self.job_form: JobForm = self._api.job_form

    def parse_call(self, request: Request) -> ApiCall:
        """Return the call that a request makes; raise ServiceError for an unknown operation."""
        call: ApiCall = self._api.parse_call(request)
        return call

    def error_response(self, error: ServiceError) -> Response:
        """Return an error in the format of the service."""
        response: Response = self._api.error_response(error)
        return response

    def permission(self, call: ApiCall) -> IamPermission:
        """Return the permission that a call needs."""
        needed: IamPermission = self._api.permission(call)
        return needed

    def handle(self, request: Request, now: float) -> Response:
        """Return the response of a stale replica."""
        if self.duplicate_age and self.parse_call(request).operation == self._sync_jobs:
            return self._with_old_entries(request, now)
        return self._handle(request, now - self.lag if self.frozen_at is None else self.frozen_at)

    def _handle(self, request: Request, now: float) -> Response:
        response: Response = self._api.handle(request, now)
        return response

    def _with_old_entries(self, request: Request, now: float) -> Response:
        current = self._handle(request, now)
        try:
            old = json.loads(self._handle(request, now - self.duplicate_age).body)
        except ServiceError:
            return current
        data = json.loads(current.body)
        lists = {name: [*old[name], *jobs] for name, jobs in data.items() if isinstance(jobs, list)}
        return replace(current, body=json.dumps({**data, **lists}).encode())


class SimulatedAccount:
    """The account of a target. It is also the network between the program and the service."""

    def __init__(  # noqa: PLR0913, PLR0917 (all that it is made of)
        self,
        name: str,
        traits: ServiceTraits,
        fleet: Fleet,
        clock: VirtualClock,
        rng: Random,
        trace: Trace,
        credentials: CredentialSource,
    ) -> None:
        self.name = name
        self.traits = traits
        self.endpoint = f"http://{name}.example"
        self.fleet = fleet
        self.clock = clock
        self.rng = rng
        self.trace = trace
        listing = {
            "order": rng.choice(("newest", "newest", "oldest", "shuffled")),
            "time_filter": rng.choice(("start", "overlap")),
            "paging": rng.choice(("shifting", "stable")),
        }
        self.service = SimulatedService(fleet, ServiceTime(clock), partial(LaggingApi, traits), **listing)
        self.api: LaggingApi = self.service.api
        self.credentials = credentials
        self.cut_until = 0.0
        self.sts_works = True
        self.dates_wrong_until = 0.0
        self._absent_until = 0.0
        self._wrong_data: list[Fault] = []
        self._usual_latency = rng.choice((0.02, 0.08, 0.3))
        self.responses = ResponseLog(traits, fleet, clock)
        self.attempts: dict[str, deque[float]] = defaultdict(deque)
        self.on_attempt: Callable[[str, deque[float]], None] = lambda _target, _moments: None
        trace.note("account", name, sorted(listing.items()))

    # The network.

    def is_cut(self) -> bool:
        """Return whether no request reaches the service."""
        return self.clock.now < self.cut_until

    def latency(self) -> float:
        """Return the seconds that a response takes."""
        return self._usual_latency * self.rng.uniform(0.5, 2.0)

    def account(self) -> str | None:
        """Return the account id that STS reports, or None when STS cannot be reached."""
        return self.fleet.account if self.sts_works and not self.is_cut() else None

    def parse_call(self, request: Request) -> ApiCall:
        """Return the call that a request makes."""
        return self.service.parse_call(request)

    def respond(self, target: str, request: Request) -> Response:
        """Return the response to a request. Invalid credentials are refused before any other fault can occur."""
        try:
            self.credentials.authorize(target, request.access_key)
        except ServiceError as refusal:
            date = formatdate(self.clock.now + self.service.date_error, usegmt=True)
            response = self.api.error_response(refusal)
            return replace(response, headers={**response.headers, "Date": date})
        try:
            return self.service.respond(request)
        except Exception as error:
            raise SimulatorError(f"{type(error).__name__}: {error}") from error

    def record_attempt(self, target: str) -> None:
        """Record an attempt, and report the attempts of the last seconds for the rate limit."""
        moments = self.attempts[target]
        moments.append(self.clock.now)
        while moments[0] <= self.clock.now - RATE_WINDOW:
            moments.popleft()
        self.on_attempt(target, moments)

    def record_response(self, target: str, call: ApiCall, code: str, *, is_usable: bool) -> None:
        """Record the result of an attempt."""
        self.trace.note("request", target, call.operation, call.data_source_id, call.page, code, is_usable)
        uses = {permission.use for permission in self.traits.service.permissions if permission.action == call.operation}
        if is_usable and Use.SYNC_JOBS in uses:
            self.responses.record_sync_jobs(call.data_source_id)
        elif is_usable and Use.CONTAINER in uses:
            self.responses.record_index(call.index_id)
        elif Use.SYNC_JOB in uses:
            self.responses.record_outcome(call.data_source_id, code, is_usable=is_usable)

    # Faults.

    def add_duplicates(self, seconds: float, until: float) -> None:
        """Until a time, list each job a second time, as it was some seconds ago."""
        self.api.duplicate_age = seconds
        self.responses.record_stale_period(seconds, until)

    def set_wrong_dates(self, error: float, until: float) -> None:
        """Make the Date header wrong by some seconds while data sources are polled for the first time.

        If the Date is ahead, a job may seem older than the first contact. Then the growth of its documents is lost.
        """
        self.service.date_error, self.dates_wrong_until = error, until
        latest = until + max(0.0, error)
        self.responses.distrust(None, latest, about_documents=error > 0)
        self.responses.distrust_times(latest)

    def add_wrong_data(self, kind: str, source_id: str | None, until: float) -> None:
        """Until a time, change the sync jobs of one data source, or of all, in responses."""
        fault = self.service.faults.add(kind, operation=self.traits.sync_jobs, data_source_id=source_id, until=until)
        self._wrong_data.append(fault)

    def end_staleness(self) -> None:
        """Return current data again."""
        self.api.lag, self.api.duplicate_age, self.api.frozen_at = 0.0, 0.0, None

    @property
    def has_current_data(self) -> bool:
        """Return whether a first poll would get correct data that is at most minutes old."""
        now = self.clock.now
        is_wrong = any(fault.until is not None and now < fault.until for fault in self._wrong_data)
        is_old = self.api.lag or self.api.frozen_at or self.api.duplicate_age > MAX_FIRST_POLL_AGE
        return not (is_wrong or is_old or self.service.date_error)

    @property
    def has_correct_dates(self) -> bool:
        """Return whether the program has read a correct Date for each data source since the last wrong one."""
        return not self.dates_wrong_until or self.responses.all_read_since(self.dates_wrong_until)

    def expect_return(self, moment: float) -> None:
        """Record the time at which a long absence ends."""
        self._absent_until = moment

    @property
    def is_returning(self) -> bool:
        """Return whether the program is absent, or has not yet polled every data source since its return."""
        return self._absent_until > 0 and not self.responses.all_read_since(self._absent_until)

    def restore_correct_data(self) -> None:
        """Return correct and current data from now on, because first polls of data sources are about to begin.

        An exporter cannot know that the data of a first poll is wrong, and would treat ended jobs as ended before.
        """
        for fault in self._wrong_data:
            self.service.faults.remove(fault)
        self._wrong_data.clear()
        self.end_staleness()

    def clear_faults(self) -> None:
        """End all faults of the service and the network."""
        self.restore_correct_data()
        self.service.faults.clear()
        self.credentials.repair()
        self.cut_until = min(self.cut_until, self.clock.now)
        self.sts_works, self.service.date_error = True, 0.0
