"""Fleets whose every job is known beforehand, so that the truth is at hand at any moment."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import DOCUMENT_KINDS, PlannedJob

if TYPE_CHECKING:
    from random import Random

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
LISTED = 6 * DAY  # after its start the service lists a job for so long; and the ten latest
PAST = 4 * DAY
TYPES = ("S3", "WEBCRAWLERV2", "SHAREPOINTV2", "CONFLUENCEV2", "CUSTOM")
SCHEDULES = ("", "cron(0 2 * * ? *)", "cron(0 * * * ? *)", "cron(30 10 ? * TUE,FRI *)", "hourly")
ERRORS = (
    ("InternalError", "CNF-5501: invalid username or password"),
    ("InvalidRequest", "Unable to find specified secret"),
    ("ResourceNotFound", None),
    ("Strange", "SPE-5002 and SPE-5003"),
    (None, None),
)


@dataclass(slots=True)
class PlannedSource(SimulatedDataSource):
    """A data source that lists what it has planned, and no more than the service remembers.

    `unlisted` are jobs that are missing from the list until a moment.
    """

    starts: list[float] = field(default_factory=list)
    unlisted: dict[str, float] = field(default_factory=dict)

    def plan(self, jobs: list[PlannedJob]) -> None:
        """Take on all the jobs of its life."""
        self.jobs = sorted(jobs, key=lambda job: job.started)
        self.starts = [job.started for job in self.jobs]

    def listed_jobs(self, now: float) -> list[PlannedJob]:
        """Give the jobs that have begun and are still listed."""
        end = bisect_right(self.starts, now)
        begin = min(bisect_right(self.starts, now - LISTED), max(0, end - 10))
        old = [job for job in self.jobs[:begin] if job.ends > now - DAY]
        listed = [*old, *self.jobs[begin:end]]
        if not self.unlisted:
            return listed
        return [job for job in listed if self.unlisted.get(job.execution_id, 0.0) <= now]


def make_fleet(dice: Random, sources: int, start: float, end: float, name: str) -> Fleet:
    """Make so many sources in a few indexes, with their lives from well before `start` to `end`."""
    applications: list[SimulatedApplication] = []
    for number in range(sources):
        if not applications or dice.random() < 1 / 5:
            applications.append(SimulatedApplication(f"app-{name}-{len(applications)}"))
        indexes = applications[-1].indexes
        if not indexes or dice.random() < 1 / 4:
            indexes.append(SimulatedIndex(f"index-{name}-{number}", units=dice.randint(1, 5)))
        indexes[-1].data_sources.append(make_source(dice, f"source-{name}-{number}", start, end))
    return Fleet(applications)


def make_source(dice: Random, name: str, start: float, end: float) -> PlannedSource:
    """Make a source with its life."""
    kind = dice.choice(TYPES)
    tags = {"team": dice.choice(("hr", "legal", ""))} if dice.random() < 1 / 2 else {}
    source = PlannedSource(
        name,
        kind,
        dice.choice(("ACTIVE",) * 4 + ("FAILED",)),
        dice.choice(SCHEDULES),
        created=start - 90 * DAY,
        updated=start - DAY,
        tags=tags,
    )
    if dice.random() < 1 / 12:
        return source  # never synced
    jobs = _life(dice, source, start, end)
    if dice.random() < 1 / 10:
        stuck = start + dice.uniform(-3 * DAY, 3 * DAY)
        jobs.append(PlannedJob(make_id("stuck", name), stuck, HOUR, 0, None, _figures(dice, 5000, kind)))
    source.plan(jobs)
    return source


def _life(dice: Random, source: PlannedSource, start: float, end: float) -> list[PlannedJob]:
    period = dice.choice((HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, DAY))
    size = dice.choice((0, 40, 999, 50_000))
    outcomes = dice.choice(
        (("SUCCEEDED",), ("INCOMPLETE", "SUCCEEDED"), ("FAILED",), ("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED"))
    )
    jobs: list[PlannedJob] = []
    moment = start - dice.uniform(0, PAST)
    while moment < end:
        longest = period * (dice.uniform(0.02, 0.3) if dice.random() < 0.95 else dice.uniform(0.5, 2.0))
        jobs.append(_job(dice, source, len(jobs), moment, longest, dice.choice(outcomes), size))
        moment += period * dice.uniform(0.7, 1.3)
    return jobs


def _job(  # noqa: PLR0913, PLR0917 (what a job follows from)
    dice: Random, source: PlannedSource, number: int, moment: float, longest: float, outcome: str, size: int
) -> PlannedJob:
    shares = [dice.uniform(0.1, 1.0) for _ in range(3)]
    crawls, stops, indexes = (longest * share / sum(shares) for share in shares)
    failed = outcome == "FAILED"
    code, message = dice.choice(ERRORS) if failed else (None, None)
    return PlannedJob(
        make_id("job", source.name, number),
        moment,
        crawls,
        indexes,
        outcome,
        _figures(dice, 0 if failed else size, source.kind),
        code,
        message,
        stopping_seconds=stops if source.kind == "CUSTOM" else 0.0,
    )


def _figures(dice: Random, size: int, kind: str) -> dict[str, int]:
    scanned = dice.randint(size // 2, size)
    touched = dict.fromkeys(DOCUMENT_KINDS, 0) | {"scanned": scanned}
    for name, share in (("added", 0.2), ("modified", 0.5), ("deleted", 0.05), ("failed", 0.013)):
        touched[name] = int(scanned * share * dice.random())
    if kind == "CUSTOM":
        del touched["scanned"]
    return touched
