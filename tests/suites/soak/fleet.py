"""The fleet of the soak: data sources whose sync jobs start on their schedules for a planned time."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.domain.schedules.schedule import parse_schedule
from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedIndex, make_id
from exporter.simulator.job import DOCUMENT_KINDS, PlannedJob
from simulation.fleet import PlannedSource

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES_PER_INDEX = 25
INDEXES_PER_APPLICATION = 2
PRE_EXISTING_JOBS = 12  # for each data source; one more than the exporter keeps would be sufficient
# Ten data sources in turn: the sync schedule, and the shortest and longest duration of a job in seconds.
SYNC_PATTERNS = (
    ("cron({minute}/15 * * * ? *)", 2 * MINUTE, 4 * MINUTE),
    *2 * (("cron({minute} * * * ? *)", 3 * MINUTE, 8 * MINUTE),),
    *4 * (("cron({minute} {hour} * * ? *)", 5 * MINUTE, 40 * MINUTE),),
    *2 * (("cron({minute} {hour} ? * {day} *)", 5 * MINUTE, 40 * MINUTE),),
    ("", 0.0, 0.0),
)
STUCK_JOB_INTERVAL = 100  # one data source in a hundred has a job that never ends
ERRORS = (("InvalidRequest", "CNF-5572 the token has expired"), ("InternalError", "try again"), (None, None))


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """The number of data sources, and the times between which their jobs start (seconds since the epoch).

    Every job either ends before `watched_since` or starts after `first_start`. So an exporter that watches the fleet
    from `watched_since` on must count exactly the jobs that start after `first_start`.
    """

    sources: int
    watched_since: float
    first_start: float
    last_start: float


def make_fleet(plan: FleetPlan) -> Fleet:
    """Return a fleet that fills indexes with 25 data sources each, and applications with two indexes each."""
    sources = [_make_source(number, plan) for number in range(plan.sources)]
    indexes = [
        SimulatedIndex(f"index-{start // SOURCES_PER_INDEX}", [*sources[start : start + SOURCES_PER_INDEX]])
        for start in range(0, len(sources), SOURCES_PER_INDEX)
    ]
    return Fleet(
        [
            SimulatedApplication(
                f"department-{start // INDEXES_PER_APPLICATION}", indexes[start : start + INDEXES_PER_APPLICATION]
            )
            for start in range(0, len(indexes), INDEXES_PER_APPLICATION)
        ]
    )


def _make_source(number: int, plan: FleetPlan) -> PlannedSource:
    rng = random.Random(number)
    expression, shortest, longest = SYNC_PATTERNS[number % len(SYNC_PATTERNS)]
    # Schedules are spread over the day and the week, so that no daily peak looks like growth.
    minute = rng.randrange(15 if "/" in expression else 60)
    schedule = expression.format(minute=minute, hour=rng.randrange(24), day=rng.randint(1, 7))
    kind = ("SHAREPOINTV2", "CONFLUENCEV2", "S3", "WEBCRAWLERV2")[number % 4]
    source = PlannedSource(f"department-share-{number}", kind, schedule=schedule)
    jobs = [
        _make_job(rng, make_id(number, index), start, rng.uniform(shortest, longest))
        for index, start in enumerate(_start_times(rng, schedule, plan))
    ]
    if number % STUCK_JOB_INTERVAL == len(SYNC_PATTERNS) - 1:
        jobs.append(PlannedJob(make_id(number, "stuck"), plan.watched_since - 5 * HOUR, HOUR, 0, None))
    source.plan(jobs)
    return source


def _start_times(rng: random.Random, expression: str, plan: FleetPlan) -> Iterator[float]:
    """Yield when jobs start: a few that end before the exporter watches, then those of the planned time."""
    schedule = parse_schedule(expression)
    if schedule is None:
        return
    latest = plan.watched_since - HOUR
    previous, pre_existing = latest, list[float]()
    while len(pre_existing) < PRE_EXISTING_JOBS or previous > latest - DAY - HOUR:
        previous = schedule.previous(previous) or 0.0
        pre_existing.append(previous)
        previous -= 1
    yield from reversed(pre_existing)
    firing = plan.first_start
    while (firing := schedule.next(firing) or plan.last_start) < plan.last_start:
        yield firing + rng.uniform(20, 50)  # a job is queued before it starts


def _make_job(rng: random.Random, execution_id: str, started: float, duration: float) -> PlannedJob:
    outcome = rng.choices(("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED"), (77, 15, 6, 2))[0]
    code, message = rng.choice(ERRORS) if outcome == "FAILED" else (None, None)
    counts = {kind: rng.randint(0, 5000) for kind in DOCUMENT_KINDS}
    return PlannedJob(execution_id, started, 0.7 * duration, 0.3 * duration, outcome, counts, code, message)
