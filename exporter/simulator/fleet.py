"""The contents of the simulated account: applications, indexes, data sources and their sync jobs."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.simulator.document import SimulatedDocument
    from exporter.simulator.job import PlannedJob

MAX_LISTED = 60  # the number of jobs of a routine that the service lists


def make_id(*parts: object) -> str:
    """Return an id in AWS's format, which is always the same for the same parts."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


@dataclass(frozen=True, slots=True)
class Routine:
    """Recurring jobs: one in every `period` seconds, each created from its number by `plan`."""

    name: str
    began: float
    period: float
    plan: Callable[[random.Random], PlannedJob]
    max_listed: int = MAX_LISTED

    def jobs(self, now: float) -> list[PlannedJob]:
        """Return the jobs that have started and that the service still lists, the oldest first."""
        latest = int((now - self.began) // self.period)
        jobs = (self.job(number) for number in range(max(0, latest - self.max_listed), latest + 1))
        return [job for job in jobs if job.started <= now]

    def job(self, number: int) -> PlannedJob:
        """Return the job with a number, which is always the same."""
        return _make_job(self, number)


@lru_cache(maxsize=50_000)
def _make_job(routine: Routine, number: int) -> PlannedJob:
    dice = random.Random(f"{routine.name}/{number}")  # noqa: S311 (a simulation that repeats)  # nosec B311
    planned = routine.plan(dice)
    started = routine.began + number * routine.period + dice.uniform(0, routine.period / 10)
    return replace(planned, execution_id=make_id("job", routine.name, number), started=started)


@dataclass(slots=True)
class SimulatedDataSource:
    """A data source. Its sync jobs are those in `jobs` and those of its routine.

    `jobs` may change at any time.
    """

    name: str
    kind: str = "S3"
    status: str = "ACTIVE"
    schedule: str = ""
    created: float = 1_700_000_000.0
    updated: float = 1_700_000_000.0
    tags: dict[str, str] = field(default_factory=dict)
    jobs: list[PlannedJob] = field(default_factory=list)
    routine: Routine | None = None
    id: str = ""
    error: dict[str, str] = field(default_factory=dict)
    documents: list[SimulatedDocument] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Derive the id from the name."""
        self.id = self.id or make_id("data source", self.name)

    def listed_jobs(self, now: float) -> list[PlannedJob]:
        """Return the jobs that have started and that the service lists, in no order."""
        recurring = self.routine.jobs(now) if self.routine else []
        return [*(job for job in list(self.jobs) if job.started <= now), *recurring]

    def change(self, execution_id: str, **members: Any) -> None:  # noqa: ANN401 (PlannedJob's own fields)
        """Change members of a job in `jobs`."""
        self.jobs = [replace(job, **members) if job.execution_id == execution_id else job for job in self.jobs]


@dataclass(slots=True)
class SimulatedIndex:
    """An index with its data sources."""

    name: str
    data_sources: list[SimulatedDataSource] = field(default_factory=list)
    status: str = "ACTIVE"
    kind: str = "ENTERPRISE"
    units: int = 1
    documents: int = 992
    text_bytes: int = 720_135
    id: str = ""
    created: float = 1_700_000_000.0
    updated: float = 1_700_000_000.0
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Derive the id from the name."""
        self.id = self.id or make_id("index", self.name)


@dataclass(slots=True)
class SimulatedApplication:
    """An application with its indexes."""

    name: str
    indexes: list[SimulatedIndex] = field(default_factory=list)
    status: str = "ACTIVE"
    id: str = ""
    created: float = 1_700_000_000.0
    updated: float = 1_700_000_000.0
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Derive the id from the name."""
        self.id = self.id or make_id("application", self.name)


@dataclass(slots=True)
class Fleet:
    """An account in a region."""

    applications: list[SimulatedApplication] = field(default_factory=list)
    account: str = "111122223333"
    region: str = "us-east-1"

    def data_sources(self) -> Iterator[tuple[SimulatedApplication, SimulatedIndex, SimulatedDataSource]]:
        """Yield every data source with its application and its index."""
        for application in self.applications:
            for index in application.indexes:
                for data_source in index.data_sources:
                    yield application, index, data_source
