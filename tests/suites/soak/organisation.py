"""A simulated organisation whose jobs come and go by their schedules: in a process of its own, or at hand."""

from __future__ import annotations

import multiprocessing
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.domain.schedule import parse_schedule
from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedIndex, make_id
from exporter.simulator.job import DOCUMENT_KINDS, PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from exporter.simulator.service import LoggedRequest, SimulatedService
from simulation.fleet import PlannedSource
from simulation.simulated_account import ServiceTime
from tests.support.oracle import Totals, expected_totals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection as Pipe

    from exporter.simulator.wire import ApiCall
    from simulation.virtual_clock import VirtualClock

CONTEXT = multiprocessing.get_context("spawn")  # nothing of ours is to be in its memory, nor of its in ours
PER_INDEX, PER_APPLICATION = 25, 2  # as many as an application may have
LATEST = 12  # jobs of the past of each data source: one more than the exporter remembers is enough
# Of ten data sources: how they are synced, and for how long (seconds, at least and at most).
RHYTHMS = (
    ("cron({minute}/15 * * * ? *)", 2 * MINUTE, 4 * MINUTE),
    *2 * (("cron({minute} * * * ? *)", 3 * MINUTE, 8 * MINUTE),),
    *4 * (("cron({minute} {hour} * * ? *)", 5 * MINUTE, 40 * MINUTE),),
    *2 * (("cron({minute} {hour} ? * {day} *)", 5 * MINUTE, 40 * MINUTE),),
    ("", 0.0, 0.0),
)
STUCK = 100  # one in so many has a job that never ends
ERRORS = (("InvalidRequest", "CNF-5572 the token has expired"), ("InternalError", "try again"), (None, None))


@dataclass(frozen=True, slots=True)
class Plan:
    """How many data sources, and the time (seconds since the epoch) in which their jobs begin.

    Before `begins` all jobs had ended by `watched`: whoever watches from then on has to count every job that begins.
    """

    sources: int
    watched: float
    begins: float
    ends: float


class Organisation:
    """The other end of the pipe."""

    def __init__(self, plan: Plan, now: Any) -> None:
        """`now` is the time as shared memory, in seconds since the epoch; None is the host's own."""
        self._pipe, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=_serve, args=(theirs, plan, now), daemon=True)
        self._process.start()
        self.url: str = self._pipe.recv()

    def expected_totals(self, until: float) -> dict[str, Totals]:
        """Give what had to be counted of each data source by then."""
        self._pipe.send(until)
        totals: dict[str, Totals] = self._pipe.recv()
        return totals

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.join()


class AtHand:
    """An organisation in this process, which is asked without sockets; its memory does not change, and is small."""

    def __init__(self, plan: Plan, timeline: VirtualClock) -> None:
        self.url = "http://organisation.example"
        self.rng = random.Random(1)
        self.service = _Forgetful(make_fleet(plan), ServiceTime(timeline))
        self._watched = plan.watched

    def expected_totals(self, until: float) -> dict[str, Totals]:
        """Give what had to be counted of each data source by then."""
        return _truth(self.service.fleet, self._watched, until)

    def stop(self) -> None:
        """End nothing."""

    # What lies between the program and the service: nothing that goes wrong.

    def is_cut(self) -> bool:
        """Let everything through."""
        return False

    def latency(self) -> float:
        """Give the seconds that an answer takes."""
        return 0.08

    def account(self) -> str:
        """Give what STS says."""
        return self.service.fleet.account

    def record_attempt(self, target: str) -> None:
        """Let it be sent."""

    def record_response(self, target: str, call: ApiCall, code: str, *, is_usable: bool) -> None:
        """Let it be answered."""


class _Forgetful(SimulatedService):
    """A service that remembers its last request alone, so that all that grows is the program's."""

    def _log(self, logged: LoggedRequest) -> None:
        self.requests[:] = [logged]


class _SharedClock:
    def __init__(self, shared: Any) -> None:
        self._services = shared

    def now(self) -> float:
        return float(self._services.value)


def _serve(pipe: Pipe, plan: Plan, now: Any) -> None:
    fleet = make_fleet(plan)
    with SimulatedQBusiness(fleet, _SharedClock(now) if now else None) as service:
        pipe.send(service.url)
        while True:
            pipe.send(_truth(fleet, plan.watched, pipe.recv()))


def _truth(fleet: Fleet, watched: float, until: float) -> dict[str, Totals]:
    return {source.id: expected_totals(source, watched, until) for _, _, source in fleet.data_sources()}


def make_fleet(plan: Plan) -> Fleet:
    """Make the organisation: applications with two indexes, indexes with 25 data sources, as far as they fill."""
    sources = [_source(number, plan) for number in range(plan.sources)]
    indexes = [
        SimulatedIndex(f"index-{at // PER_INDEX}", [*sources[at : at + PER_INDEX]])
        for at in range(0, len(sources), PER_INDEX)
    ]
    return Fleet(
        [
            SimulatedApplication(f"department-{at // PER_APPLICATION}", indexes[at : at + PER_APPLICATION])
            for at in range(0, len(indexes), PER_APPLICATION)
        ]
    )


def _source(number: int, plan: Plan) -> PlannedSource:
    dice = random.Random(number)
    expression, shortest, longest = RHYTHMS[number % len(RHYTHMS)]
    # Spread over day and week: what grows is then told from what a night brings.
    minute = dice.randrange(15 if "/" in expression else 60)
    schedule = expression.format(minute=minute, hour=dice.randrange(24), day=dice.randint(1, 7))
    kind = ("SHAREPOINTV2", "CONFLUENCEV2", "S3", "WEBCRAWLERV2")[number % 4]
    source = PlannedSource(f"department-share-{number}", kind, schedule=schedule)
    jobs = [
        _job(dice, make_id(number, index), moment, dice.uniform(shortest, longest))
        for index, moment in enumerate(_moments(dice, schedule, plan))
    ]
    if number % STUCK == len(RHYTHMS) - 1:
        jobs.append(PlannedJob(make_id(number, "stuck"), plan.watched - 5 * HOUR, HOUR, 0, None))
    source.plan(jobs)
    return source


def _moments(dice: random.Random, expression: str, plan: Plan) -> Iterator[float]:
    """Yield when jobs begin: a few that are past, and all that begin in time."""
    schedule = parse_schedule(expression)
    if schedule is None:
        return
    latest = plan.watched - HOUR
    before, past = latest, list[float]()
    while len(past) < LATEST or before > latest - DAY - HOUR:
        before = schedule.previous(before) or 0.0
        past.append(before)
        before -= 1
    yield from reversed(past)
    moment = plan.begins
    while (moment := schedule.next(moment) or plan.ends) < plan.ends:
        yield moment + dice.uniform(20, 50)  # it is queued for a while


def _job(dice: random.Random, identifier: str, began: float, lasts: float) -> PlannedJob:
    outcome = dice.choices(("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED"), (77, 15, 6, 2))[0]
    code, message = dice.choice(ERRORS) if outcome == "FAILED" else (None, None)
    figures = {kind: dice.randint(0, 5000) for kind in DOCUMENT_KINDS}
    return PlannedJob(identifier, began, 0.7 * lasts, 0.3 * lasts, outcome, figures, code, message)
