"""What the simulated account holds: applications, indexes, data sources, and how the jobs of each come."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.simulator.life import KINDS, TERMINAL, PlannedJob

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

    def jobs(self, now: float) -> list[PlannedJob]:
        """Give the jobs that have begun, the oldest first."""
        latest = int((now - self.began) // self.period)
        return [self.job(number) for number in range(max(0, latest - REMEMBERED), latest + 1)]

    def job(self, number: int) -> PlannedJob:
        """Give the job of a number, always the same."""
        dice = random.Random(f"{self.name}/{number}")  # noqa: S311 (a simulation that repeats)
        planned = self.plan(dice)
        started = self.began + number * self.period + dice.uniform(0, self.period / 10)
        return PlannedJob(
            execution_id=make_id("job", self.name, number),
            started=started,
            crawls=planned.crawls,
            indexes=planned.indexes,
            outcome=planned.outcome,
            documents=planned.documents,
            error_code=planned.error_code,
            error_message=planned.error_message,
            source_error=planned.source_error,
            odd=planned.odd,
        )


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

    def __post_init__(self) -> None:
        """Give it an id that its name always gives."""
        self.id = self.id or make_id("data source", self.name)

    def planned(self, now: float) -> list[PlannedJob]:
        """Give the jobs that have begun, in no order."""
        coming = self.routine.jobs(now) if self.routine else []
        return [job for job in (*self.jobs, *coming) if job.started <= now]


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


def truth(data_source: DataSource, since: float, until: float) -> Totals:
    """Count what ended and what was worked on while a data source was watched from one moment to another."""
    completed, seconds, documents = dict.fromkeys(TERMINAL, 0), dict.fromkeys(TERMINAL, 0.0), dict.fromkeys(KINDS, 0)
    for job in data_source.planned(until):
        if since < job.ends <= until and job.outcome:
            completed[job.outcome] += 1
            seconds[job.outcome] += job.ends - job.started
        before = job.figures(since) if job.started <= since else {}
        for kind, figure in job.figures(until).items():
            documents[kind] += figure - before.get(kind, 0)
    return Totals(completed, documents, seconds)
