"""The correct totals of simulated data sources, and their comparison with the page of a running program."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from exporter.simulator.fleet import Routine, SimulatedDataSource
from exporter.simulator.job import DOCUMENT_KINDS, TERMINAL, PlannedJob
from tests.support.harness import eventually

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from exporter.simulator.clock import SimulatedClock
    from tests.support.harness import Program, Scrape


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals that a correct exporter has counted: jobs and their seconds by status, documents by kind."""

    completed: dict[str, int]
    documents: dict[str, int]
    seconds: dict[str, float]


def all_jobs(source: SimulatedDataSource, now: float) -> list[PlannedJob]:
    """Return all jobs that have started, including those that the service no longer lists."""
    routine = source.routine
    latest = int((now - routine.began) // routine.period) if routine else -1
    recurring = [routine.job(number) for number in range(latest + 1)] if routine else []
    return [job for job in [*source.jobs, *recurring] if job.started <= now]


def expected_totals(source: SimulatedDataSource, since: float, until: float) -> Totals:
    """Return the totals of a data source that was watched from one time to another.

    They are derived from the planned jobs, without `overrides` and removals.
    """
    completed, seconds = dict.fromkeys(TERMINAL, 0), dict.fromkeys(TERMINAL, 0.0)
    documents = dict.fromkeys(DOCUMENT_KINDS, 0)
    for job in all_jobs(source, until):
        if since < job.ends <= until and job.outcome:
            completed[job.outcome] += 1
            seconds[job.outcome] += round(job.ends, 3) - round(job.started, 3)
        before = job.document_counts(since) if job.started <= since else {}
        for kind, count in job.document_counts(until).items():
            documents[kind] += count - before.get(kind, 0)
    return Totals(completed, documents, seconds)


def busy_source(name: str, began: float) -> SimulatedDataSource:
    """Return a data source whose jobs take a second or two and have all outcomes."""

    def plan(rng: random.Random) -> PlannedJob:
        return PlannedJob(
            "",
            0,
            crawl_seconds=rng.uniform(0.1, 0.8),
            index_seconds=rng.uniform(0.1, 0.5),
            outcome=rng.choice(TERMINAL),
            documents={kind: rng.randint(0, 500) for kind in DOCUMENT_KINDS},
            error_code="InternalError",
        )

    return SimulatedDataSource(name, routine=Routine(name, began, 0.9, plan))


def totals_match(scrape: Scrape, source: SimulatedDataSource, expected: Totals) -> bool:
    """Return whether the totals of a data source are the expected ones."""

    def value(name: str, **labels: str) -> float:
        return scrape.value(name, data_source_id=source.id, **labels) or 0.0

    return (
        all(value("qbusiness_sync_jobs_completed_total", status=s) == n for s, n in expected.completed.items())
        and all(value(f"qbusiness_documents_{kind}_total") == n for kind, n in expected.documents.items())
        # Times are rounded to milliseconds, and so is each duration.
        and value("qbusiness_sync_job_duration_seconds_sum") == pytest.approx(sum(expected.seconds.values()), abs=0.05)
    )


def finish_jobs(program: Program, sources: Sequence[SimulatedDataSource], clock: SimulatedClock) -> int:
    """Start no more jobs, wait until all are counted, and return their number."""
    for source in sources:
        source.jobs, source.routine = source.listed_jobs(clock.now()), None
    until = max(job.ends for source in sources for job in source.jobs) + 1
    expected = {source.id: expected_totals(source, 0.0, until) for source in sources}

    def all_counted() -> bool:
        scrape = program.scrape()
        return all(totals_match(scrape, source, expected[source.id]) for source in sources)

    eventually(all_counted)
    return sum(sum(totals.completed.values()) for totals in expected.values())


@dataclass
class CounterMonitor:
    """A scraper that asserts that no counter of jobs or documents decreases, even across restarts."""

    max_values: dict[object, float] = field(default_factory=dict)

    def scrape(self, program: Program) -> Scrape:
        """Scrape, and compare the counters with the previous scrapes."""
        scrape = program.scrape()
        for sample, value in scrape.samples.items():
            if sample[0].endswith("_total") and sample[0].startswith(("qbusiness_sync", "qbusiness_doc")):
                assert value >= self.max_values.get(sample, 0.0), sample
                self.max_values[sample] = value
        return scrape

    def jobs(self, program: Program) -> float:
        """Scrape, and return the number of completed jobs."""
        return self.scrape(program).value("qbusiness_sync_jobs_completed_total") or 0.0
