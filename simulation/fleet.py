"""Fleets whose sync jobs are all planned in advance, so that the correct values are known for any time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.domain.units import DAY, HOUR
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from exporter.simulator.job import DOCUMENT_KINDS, PlannedJob

if TYPE_CHECKING:
    from random import Random

    from simulation.services import ServiceTraits

LISTED_FOR = 6 * DAY  # the service lists a job for this long after its start, and always lists the ten latest
HISTORY = 4 * DAY  # the first job of a data source is at most this long before the week
ERRORS = (
    ("InternalError", "CNF-5501: invalid username or password"),
    ("InvalidRequest", "Unable to find specified secret"),
    ("ResourceNotFound", None),
    ("Strange", "SPE-5002 and SPE-5003"),
    (None, None),
)


@dataclass(slots=True)
class PlannedSource(SimulatedDataSource):
    """A data source that lists its planned jobs for as long as the service would.

    `unlisted` has the ids of jobs that are missing from the list, and the time until which each is missing.
    """

    starts: list[float] = field(default_factory=list)
    unlisted: dict[str, float] = field(default_factory=dict)

    def plan(self, jobs: list[PlannedJob]) -> None:
        """Set all jobs of the data source."""
        self.jobs = sorted(jobs, key=lambda job: job.started)
        self.starts = [job.started for job in self.jobs]

    def listed_jobs(self, now: float) -> list[PlannedJob]:
        """Return the jobs that have started and that the service still lists."""
        end = bisect_right(self.starts, now)
        begin = min(bisect_right(self.starts, now - LISTED_FOR), max(0, end - 10))
        old = [job for job in self.jobs[:begin] if job.ends > now - DAY]
        listed = [*old, *self.jobs[begin:end]]
        if not self.unlisted:
            return listed
        return [job for job in listed if self.unlisted.get(job.execution_id, 0.0) <= now]


def make_fleet(  # noqa: PLR0913, PLR0917 (all that it is made of)
    rng: Random, traits: ServiceTraits, sources: int, start: float, end: float, name: str
) -> Fleet:
    """Return a fleet of some data sources in a few indexes, with jobs from days before `start` to `end`."""
    applications: list[SimulatedApplication] = []
    for number in range(sources):
        if not applications or rng.random() < 1 / 5:
            applications.append(SimulatedApplication(f"app-{name}-{len(applications)}"))
        indexes = applications[-1].indexes
        if not indexes or rng.random() < 1 / 4:
            indexes.append(_make_index(rng, traits, f"index-{name}-{number}"))
        indexes[-1].data_sources.append(make_source(rng, traits, f"source-{name}-{number}", start, end))
    return Fleet(applications)


def _make_index(rng: Random, traits: ServiceTraits, name: str) -> SimulatedIndex:
    return SimulatedIndex(
        name, kind=traits.simulated.index_kind, units=rng.randint(1, 5), id=traits.make_id("index", name)
    )


def make_source(rng: Random, traits: ServiceTraits, name: str, start: float, end: float) -> PlannedSource:
    """Return a data source with all its jobs."""
    kind = rng.choice(traits.simulated.source_kinds)
    tags = {"team": rng.choice(("hr", "legal", ""))} if rng.random() < 1 / 2 else {}
    source = PlannedSource(
        name,
        kind,
        rng.choice(("ACTIVE",) * 4 + ("FAILED",)),
        rng.choice(traits.simulated.schedules),
        created=start - 90 * DAY,
        updated=start - DAY,
        tags=tags,
        id=traits.make_id("data source", name),
    )
    if kind in traits.simulated.kinds_without_jobs or rng.random() < 1 / 12:
        return source  # never synced
    jobs = _make_jobs(rng, traits, source, start, end)
    if rng.random() < 1 / 10:
        stuck = start + rng.uniform(-3 * DAY, 3 * DAY)
        jobs.append(PlannedJob(traits.make_id("stuck", name), stuck, HOUR, 0, None, document_counts(rng, 5000, kind)))
    source.plan(jobs)
    return source


def plan_syncs(
    rng: Random, traits: ServiceTraits, source: PlannedSource, between: tuple[float, float], period: float
) -> None:
    """Add jobs to a data source, one in every `period` seconds between two times."""
    moment, end = between
    jobs: list[PlannedJob] = []
    while moment < end:
        duration = period * rng.uniform(0.02, 0.3)
        number = len(source.jobs) + len(jobs)
        jobs.append(make_job(rng, traits, source, number, moment, duration, "SUCCEEDED", 40))
        moment += period * rng.uniform(0.7, 1.3)
    source.plan([*source.jobs, *jobs])


def _make_jobs(rng: Random, traits: ServiceTraits, source: PlannedSource, start: float, end: float) -> list[PlannedJob]:
    period = rng.choice((HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, DAY))
    size = rng.choice((0, 40, 999, 50_000))
    outcomes = rng.choice(
        (("SUCCEEDED",), ("INCOMPLETE", "SUCCEEDED"), ("FAILED",), ("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED"))
    )
    jobs: list[PlannedJob] = []
    moment = start - rng.uniform(0, HISTORY)
    while moment < end:
        duration = period * (
            rng.uniform(0.02, 0.3) if rng.random() < 1 - traits.simulated.long_share else rng.uniform(0.5, 2.0)
        )
        jobs.append(make_job(rng, traits, source, len(jobs), moment, duration, rng.choice(outcomes), size))
        moment += period * rng.uniform(0.7, 1.3)
    return jobs


def make_job(  # noqa: PLR0913, PLR0917 (all properties of the job)
    rng: Random,
    traits: ServiceTraits,
    source: PlannedSource,
    number: int,
    moment: float,
    duration: float,
    outcome: str,
    size: int,
) -> PlannedJob:
    """Return a job of a data source with random document counts; `duration` is in seconds."""
    shares = [rng.uniform(0.1, 1.0) for _ in range(3)]
    crawling, stopping, indexing = (duration * share / sum(shares) for share in shares)
    is_failed = outcome == "FAILED"
    code, message = rng.choice(ERRORS) if is_failed else (None, None)
    job = PlannedJob(
        traits.make_id("job", source.name, number),
        moment,
        crawling,
        indexing,
        outcome,
        document_counts(rng, 0 if is_failed else size, source.kind),
        code,
        message,
        stopping_seconds=stopping if source.kind == "CUSTOM" else 0.0,
    )
    return traits.simulated.reported(job)


def document_counts(rng: Random, size: int, kind: str) -> dict[str, int]:
    """Return random document counts of a job that scans at most `size` documents."""
    scanned = rng.randint(size // 2, size)
    counts = dict.fromkeys(DOCUMENT_KINDS, 0) | {"scanned": scanned}
    for name, share in (("added", 0.2), ("modified", 0.5), ("deleted", 0.05), ("failed", 0.013)):
        counts[name] = int(scanned * share * rng.random())
    if kind == "CUSTOM":
        del counts["scanned"]
    return counts
