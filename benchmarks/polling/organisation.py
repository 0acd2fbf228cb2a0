"""A fleet as organisations have them: what is scheduled when, how long it takes, and how often it fails.

Jobs are made once, from a seed; asking for them costs little, so that ten thousand sources can be simulated.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from dataclasses import dataclass, field

from exporter.domain.model import DocumentCounts, SourceId, SyncJob
from exporter.domain.schedule import parse_schedule
from exporter.simulator.fleet import make_id

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
# Of a hundred sources. Most are synced at night, and most of those at a full hour, as people set it.
HOURLY, DAILY, WEEKLY = 8, 57, 15  # the others are synced by hand, now and then
NIGHT = (22, 23, 0, 1, 1, 2, 2, 3, 4, 5, 6, 12, 18)
MINUTES = (0, 0, 0, 15, 30, 30, 45)
DEEP = {"hourly": 3 * DAY, "daily": 12 * DAY, "weekly": 30 * DAY, "by hand": 30 * DAY}


@dataclass(frozen=True, slots=True)
class Life:
    """A job from beginning to end."""

    id: str
    started: float
    indexes_from: float
    ended: float
    status: str

    def at(self, now: float) -> SyncJob:
        """Give what the API says of it at a moment."""
        if now >= self.ended:
            return SyncJob(self.id, self.status, self.started, self.ended, DocumentCounts(scanned=100))
        return SyncJob(self.id, "SYNCING" if now < self.indexes_from else "SYNCING_INDEXING", self.started)


@dataclass(slots=True)
class Source:
    """A data source: its schedule, and its jobs from the first to the last."""

    id: SourceId
    kind: str
    schedule: str
    jobs: list[Life] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)

    def begun(self, now: float) -> list[Life]:
        """Give the jobs that have begun, the newest first."""
        return self.jobs[: bisect_right(self.starts, now)][::-1]


def organisation(size: int, start: float, end: float, seed: int = 1) -> list[Source]:
    """Make so many sources, with what happens to them from well before `start` to `end`."""
    dice = random.Random(seed)  # noqa: S311 (a simulation that repeats)
    return [_source(dice, number, start, end) for number in range(size)]


def _source(dice: random.Random, number: int, start: float, end: float) -> Source:
    draw = dice.randrange(100)
    minute, hour = dice.choice(MINUTES), dice.choice(NIGHT)
    if draw < HOURLY:
        kind, schedule = "hourly", f"cron({dice.randrange(60)} * * * ? *)"
    elif draw < HOURLY + DAILY:
        kind, schedule = "daily", f"cron({minute} {hour} * * ? *)"
    elif draw < HOURLY + DAILY + WEEKLY:
        kind, schedule = "weekly", f"cron({minute} {hour} ? * {dice.randint(1, 7)} *)"
    else:
        kind, schedule = "by hand", ""
    ids = (make_id(name, number) for name in ("application", "index", "source"))
    source = Source(SourceId(*ids), kind, schedule)
    usual = min(6 * HOUR, max(3 * MINUTE, dice.lognormvariate(math.log(12 * MINUTE), 0.8)))
    if kind == "hourly":
        usual = min(usual, 25 * MINUTE)
    busy_until = 0.0
    for moment in _moments(dice, source, start, end):
        if moment < busy_until:
            continue  # one at a time: a firing during a sync is passed over
        job = _job(dice, number, len(source.jobs), moment, usual)
        source.jobs.append(job)
        busy_until = job.ended
    source.starts = [job.started for job in source.jobs]
    return source


def _moments(dice: random.Random, source: Source, start: float, end: float) -> list[float]:
    now, found = start - DEEP[source.kind], []
    schedule = parse_schedule(source.schedule)
    while now < end:
        if schedule:
            now = schedule.next(now) or end
            found.append(now + dice.uniform(20, 150))  # it is queued for a while
        else:
            now += dice.expovariate(1 / (3 * DAY))
            found.append(now)
    return [moment for moment in found if moment < end]


def _job(dice: random.Random, number: int, count: int, moment: float, usual: float) -> Life:
    identifier = make_id("job", number, count)
    if dice.random() < 0.06:  # noqa: PLR2004 (a chance) wrong credentials show soon
        ended = moment + dice.uniform(40, 6 * MINUTE)
        return Life(identifier, moment, ended, ended, "FAILED")
    lasts = usual * dice.uniform(0.7, 1.5)
    status = "INCOMPLETE" if dice.random() < 0.15 else "SUCCEEDED"  # noqa: PLR2004 (the same)
    return Life(identifier, moment, moment + 0.7 * lasts, moment + lasts, status)
