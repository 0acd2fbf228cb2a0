"""A realistic fleet of data sources from a seed: schedules, durations of syncs, and failures.

All jobs are generated in advance, so that ten thousand data sources can be simulated.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from dataclasses import dataclass, field

from exporter.domain.model import DocumentCounts, SourceId, SyncJob
from exporter.domain.schedules.schedule import parse_schedule
from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.simulator.fleet import make_id

HOURLY, DAILY, WEEKLY = 8, 57, 15  # of a hundred data sources; the others are synced manually
# Most data sources are synced at night, and most of those at the full hour.
HOURS = (22, 23, 0, 1, 1, 2, 2, 3, 4, 5, 6, 12, 18)
MINUTES = (0, 0, 0, 15, 30, 30, 45)
HISTORY = {"hourly": 3 * DAY, "daily": 12 * DAY, "weekly": 30 * DAY, "manual": 30 * DAY}
QUEUED_SECONDS = (20, 150)  # from the time of a schedule to the start of the job
MEAN_MANUAL_GAP = 3 * DAY
FAILED, INCOMPLETE = 0.06, 0.15  # shares of all jobs, and of the others
CRAWLING = 0.7  # of the duration of a job, before it indexes


@dataclass(frozen=True, slots=True)
class Job:
    """A job from its start to its end."""

    id: str
    started: float
    indexes_from: float
    ended: float
    status: str

    def at(self, now: float) -> SyncJob:
        """Return the job as the API reports it at a time."""
        if now >= self.ended:
            return SyncJob(self.id, self.status, self.started, self.ended, DocumentCounts(scanned=100))
        return SyncJob(self.id, "SYNCING" if now < self.indexes_from else "SYNCING_INDEXING", self.started)


@dataclass(slots=True)
class FleetSource:
    """A data source with its schedule and all its jobs."""

    id: SourceId
    kind: str
    schedule: str
    jobs: list[Job] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)

    def started_jobs(self, now: float) -> list[Job]:
        """Return the jobs that have started, the newest first."""
        return self.jobs[: bisect_right(self.starts, now)][::-1]


def make_fleet(size: int, start: float, end: float, seed: int = 1) -> list[FleetSource]:
    """Return a fleet of a given size, with jobs from some days before `start` until `end`."""
    rng = random.Random(seed)  # noqa: S311 (a simulation that repeats)
    return [_source(rng, number, start, end) for number in range(size)]


def _source(rng: random.Random, number: int, start: float, end: float) -> FleetSource:
    kind, schedule = _schedule(rng)
    ids = tuple(make_id(name, number) for name in ("application", "index", "source"))
    source = FleetSource(SourceId(QBUSINESS, ids), kind, schedule)
    usual_seconds = min(6 * HOUR, max(3 * MINUTE, rng.lognormvariate(math.log(12 * MINUTE), 0.8)))
    if kind == "hourly":
        usual_seconds = min(usual_seconds, 25 * MINUTE)
    busy_until = 0.0
    for started in _start_times(rng, source, start, end):
        if started < busy_until:
            continue  # AWS skips a scheduled sync while another is running
        job = _job(rng, make_id("job", number, len(source.jobs)), started, usual_seconds)
        source.jobs.append(job)
        busy_until = job.ended
    source.starts = [job.started for job in source.jobs]
    return source


def _schedule(rng: random.Random) -> tuple[str, str]:
    """Return a kind of schedule, and a schedule of this kind."""
    draw = rng.randrange(100)
    minute, hour = rng.choice(MINUTES), rng.choice(HOURS)
    if draw < HOURLY:
        return "hourly", f"cron({rng.randrange(60)} * * * ? *)"
    if draw < HOURLY + DAILY:
        return "daily", f"cron({minute} {hour} * * ? *)"
    if draw < HOURLY + DAILY + WEEKLY:
        return "weekly", f"cron({minute} {hour} ? * {rng.randint(1, 7)} *)"
    return "manual", ""


def _start_times(rng: random.Random, source: FleetSource, start: float, end: float) -> list[float]:
    now, times = start - HISTORY[source.kind], []
    schedule = parse_schedule(source.schedule)
    while now < end:
        if schedule:
            now = schedule.next(now) or end
            times.append(now + rng.uniform(*QUEUED_SECONDS))
        else:
            now += rng.expovariate(1 / MEAN_MANUAL_GAP)
            times.append(now)
    return [time for time in times if time < end]


def _job(rng: random.Random, identifier: str, started: float, usual_seconds: float) -> Job:
    if rng.random() < FAILED:
        ended = started + rng.uniform(40, 6 * MINUTE)  # for example wrong credentials, which fail early
        return Job(identifier, started, ended, ended, "FAILED")
    seconds = usual_seconds * rng.uniform(0.7, 1.5)
    status = "INCOMPLETE" if rng.random() < INCOMPLETE else "SUCCEEDED"
    return Job(identifier, started, started + CRAWLING * seconds, started + seconds, status)
