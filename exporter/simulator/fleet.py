"""What the simulated account holds: applications, indexes, data sources, and how the jobs of each come."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from exporter.simulator.job import KINDS, TERMINAL, PlannedJob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REMEMBERED = 60  # jobs of a routine that the service still lists


def make_id(*parts: object) -> str:
    """Make an id of AWS's form that the same parts always give."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


@dataclass(frozen=True, slots=True)
class Routine:
    """Jobs that come by themselves: one every `period` seconds, each made from its number by `plan`."""

    name: str
    began: float
    period: float
    plan: Callable[[random.Random], PlannedJob]
    remembered: int = REMEMBERED

    def jobs(self, now: float) -> list[PlannedJob]:
        """Give the jobs that have begun and are still listed, the oldest first."""
        return self._begun(now, self._latest(now) - self.remembered)

    def jobs_ever(self, now: float) -> list[PlannedJob]:
        """Give all the jobs that have begun, the oldest first."""
        return self._begun(now, 0)

    def _latest(self, now: float) -> int:
        return int((now - self.began) // self.period)

    def _begun(self, now: float, first: int) -> list[PlannedJob]:
        jobs = (self.job(number) for number in range(max(0, first), self._latest(now) + 1))
        return [job for job in jobs if job.started <= now]

    def job(self, number: int) -> PlannedJob:
        """Give the job of a number, always the same."""
        return _make_job(self, number)


@lru_cache(maxsize=50_000)
def _make_job(routine: Routine, number: int) -> PlannedJob:
    dice = random.Random(f"{routine.name}/{number}")  # noqa: S311 (a simulation that repeats)  # nosec B311
    planned = routine.plan(dice)
    started = routine.began + number * routine.period + dice.uniform(0, routine.period / 10)
    return replace(planned, execution_id=make_id("job", routine.name, number), started=started)


@dataclass(slots=True)
class DataSource:
    """A data source; its jobs are listed one by one, come by a routine, or both. Change `jobs` at will."""

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

    def __post_init__(self) -> None:
        """Give it an id that its name always gives."""
        self.id = self.id or make_id("data source", self.name)

    def planned(self, now: float) -> list[PlannedJob]:
        """Give the jobs that have begun, in no order."""
        coming = self.routine.jobs(now) if self.routine else []
        return [*self._listed(now), *coming]

    def planned_ever(self, now: float) -> list[PlannedJob]:
        """Give the jobs that have begun, those of the routine that are no longer listed included."""
        coming = self.routine.jobs_ever(now) if self.routine else []
        return [*self._listed(now), *coming]

    def change(self, execution_id: str, **members: Any) -> None:  # noqa: ANN401 (PlannedJob's own fields)
        """Change members of a job that was listed by hand."""
        self.jobs = [replace(job, **members) if job.execution_id == execution_id else job for job in self.jobs]

    def remove(self, execution_id: str) -> None:
        """Take a job that was listed by hand off the list."""
        self.jobs = [job for job in self.jobs if job.execution_id != execution_id]

    def _listed(self, now: float) -> list[PlannedJob]:
        return [job for job in list(self.jobs) if job.started <= now]


@dataclass(slots=True)
class Index:
    """An index with its data sources."""

    name: str
    data_sources: list[DataSource] = field(default_factory=list)
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
        """Give it an id that its name always gives."""
        self.id = self.id or make_id("index", self.name)


@dataclass(slots=True)
class Application:
    """An application with its indexes."""

    name: str
    indexes: list[Index] = field(default_factory=list)
    status: str = "ACTIVE"
    id: str = ""
    created: float = 1_700_000_000.0
    updated: float = 1_700_000_000.0
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Give it an id that its name always gives."""
        self.id = self.id or make_id("application", self.name)


@dataclass(slots=True)
class Fleet:
    """An account in a region."""

    applications: list[Application] = field(default_factory=list)
    account: str = "111122223333"
    region: str = "us-east-1"

    def data_sources(self) -> Iterator[tuple[Application, Index, DataSource]]:
        """Yield every data source with where it is."""
        for application in self.applications:
            for index in application.indexes:
                for data_source in index.data_sources:
                    yield application, index, data_source


@dataclass(frozen=True, slots=True)
class Totals:
    """What an honest observer must have counted."""

    completed: dict[str, int]
    documents: dict[str, int]
    seconds: dict[str, float]


def expected_totals(data_source: DataSource, since: float, until: float) -> Totals:
    """Count what ended and what was worked on while a data source was watched from one moment to another.

    It goes by the plans: what `odd` says instead, and jobs that were removed, it does not know.
    """
    completed, seconds, documents = dict.fromkeys(TERMINAL, 0), dict.fromkeys(TERMINAL, 0.0), dict.fromkeys(KINDS, 0)
    for job in data_source.planned_ever(until):
        if since < job.ends <= until and job.outcome:
            completed[job.outcome] += 1
            seconds[job.outcome] += round(job.ends, 3) - round(job.started, 3)
        before = job.figures(since) if job.started <= since else {}
        for kind, figure in job.figures(until).items():
            documents[kind] += figure - before.get(kind, 0)
    return Totals(completed, documents, seconds)
