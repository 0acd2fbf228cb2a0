"""The data sources of a target, in the responses of AWS and in the state of an exporter."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from benchmarks.saved_state import OBJECTIVES
from exporter.domain.clock_check import ClockReading
from exporter.domain.counting.counting_policy import DEFAULT_BUCKETS, CountingPolicy
from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData
from exporter.domain.model import DataSource, Description, DocumentCounts, Location, SourceId, SyncJob
from exporter.domain.objective_starts import record_objectives
from exporter.domain.snapshots import SavedSource
from exporter.domain.target_identity import ConfiguredTarget
from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.counting.source_history import SourceHistory

REGION = "us-east-1"
JOBS = 10  # of each data source
SYNCING = 50  # one in 50 data sources is syncing
SOURCES_PER_INDEX = 25
_DOCUMENTS = {"added": 100, "modified": 200, "deleted": 10, "failed": 0, "scanned": 100_000}
_POLICY = CountingPolicy(DAY, DEFAULT_BUCKETS, QBUSINESS.error_codes)


class ScaleSize(NamedTuple):
    """The number of targets, and of data sources in each of them."""

    targets: int
    sources: int


def account(number: int) -> str:
    """Return the account of a target."""
    return f"{number:012}"


def target(number: int) -> ConfiguredTarget:
    """Return a target with its own account."""
    return ConfiguredTarget(f"t{number}", QBUSINESS.name, REGION, account(number))


def make_fleet(number: int, sources: int, now: float) -> Fleet:
    """Return the data sources of a target, in one application for each index."""
    applications = []
    for first in range(0, sources, SOURCES_PER_INDEX):
        some = range(first, min(first + SOURCES_PER_INDEX, sources))
        index = SimulatedIndex(f"{number}/{first}", [_simulate(number, each, now) for each in some])
        applications.append(SimulatedApplication(f"department-{number}-{first}", [index]))
    return Fleet(applications, account(number), REGION)


def saved_sources(number: int, sources: int, now: float) -> Iterator[tuple[SavedSource, SourceHistory]]:
    """Yield each data source of a target, and its history as of a poll at `now`."""
    fleet = make_fleet(number, sources, now)
    location = Location(fleet.account, fleet.region)
    for each, (application, index, simulated) in enumerate(fleet.data_sources()):
        id_ = SourceId(QBUSINESS, (application.id, index.id, simulated.id))
        source = DataSource(target(number).name, id_, application.name, simulated.name)
        description = Description(
            simulated.name,
            simulated.kind,
            simulated.status,
            simulated.created,
            simulated.updated,
            simulated.schedule,
            schedule_since=simulated.created,
        )
        watched = ClockReading(now - 2 * DAY, None)
        objectives = record_objectives(None, OBJECTIVES, simulated.created, now)
        saved = SavedSource(
            source, index.name, description, location, watched, is_described=True, objectives=objectives
        )
        yield saved, _history(each % SYNCING, now)


def _simulate(number: int, each: int, now: float) -> SimulatedDataSource:
    schedule = f"cron({each % 60} {each % 24} * * ? *)"
    return SimulatedDataSource(f"share-{number}-{each}", schedule=schedule, jobs=_jobs(each % SYNCING, now))


@cache
def _jobs(kind: int, now: float) -> list[PlannedJob]:
    """Return one sync job for each day. If the data source is syncing, another one is running."""
    starts = [now - day * DAY - kind * MINUTE for day in range(1, JOBS)]
    ended = [PlannedJob(make_id(kind, start), start, HOUR / 2, MINUTE, documents=_DOCUMENTS) for start in starts]
    running = PlannedJob(make_id(kind, now), now - HOUR, DAY, MINUTE, documents=_DOCUMENTS)
    return [*ended, running] if kind == 0 else ended


@cache
def _history(kind: int, now: float) -> SourceHistory:
    """Return the history of a data source whose second to last job ended before it was watched."""
    jobs = [_parse(job, now) for job in _jobs(kind, now)]
    watched = now - 2 * DAY
    history = fold(None, PollData(tuple(jobs[2:]), watched, watched, window=DAY), _POLICY)
    return fold(history, PollData(tuple(jobs), now, now, window=2 * DAY), _POLICY)


def _parse(job: PlannedJob, now: float) -> SyncJob:
    counts = job.document_counts(now)
    running = SyncJob(job.execution_id, job.status(now), job.started, documents=DocumentCounts(**counts))
    return running if job.ends > now else structs.replace(running, ended=job.ends)
