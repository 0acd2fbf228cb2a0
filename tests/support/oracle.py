"""Jobs that come and go while the program runs, and what it shows held against the truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from exporter.simulator.fleet import DataSource, Routine, Totals, expected_totals
from exporter.simulator.job import KINDS, TERMINAL, PlannedJob
from tests.support.harness import eventually

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from exporter.simulator.clock import SimulatedClock
    from tests.support.harness import Program, Scrape


def lively(name: str, began: float) -> DataSource:
    """Build a source whose jobs take a second or two and end in every way."""

    def plan(dice: random.Random) -> PlannedJob:
        return PlannedJob(
            "",
            0,
            crawls=dice.uniform(0.1, 0.8),
            indexes=dice.uniform(0.1, 0.5),
            outcome=dice.choice(TERMINAL),
            documents={kind: dice.randint(0, 500) for kind in KINDS},
            error_code="InternalError",
        )

    return DataSource(name, routine=Routine(name, began, 0.9, plan))


def agrees(scrape: Scrape, source: DataSource, expected: Totals) -> bool:
    """Tell whether all that was counted of a source is what had to be."""

    def value(name: str, **labels: str) -> float:
        return scrape.value(name, data_source_id=source.id, **labels) or 0.0

    return (
        all(value("qbusiness_sync_jobs_completed_total", status=s) == n for s, n in expected.completed.items())
        and all(value(f"qbusiness_documents_{kind}_total") == n for kind, n in expected.documents.items())
        # Each time is good to the millisecond, and so is each of their differences.
        and value("qbusiness_sync_job_duration_seconds_sum") == pytest.approx(sum(expected.seconds.values()), abs=0.05)
    )


def settle(program: Program, sources: Sequence[DataSource], clock: SimulatedClock) -> int:
    """Let no further job begin, wait until the last has been counted, and give how many there were."""
    for source in sources:
        source.jobs, source.routine = source.planned(clock.now()), None
    until = max(job.ends for source in sources for job in source.jobs) + 1
    expected = {source.id: expected_totals(source, 0.0, until) for source in sources}

    def is_true() -> bool:
        scrape = program.scrape()
        return all(agrees(scrape, source, expected[source.id]) for source in sources)

    eventually(is_true)
    return sum(sum(totals.completed.values()) for totals in expected.values())


@dataclass
class DiscoveryObserver:
    """Whoever scrapes again and again, over restarts too: no counter of jobs or documents may ever fall."""

    max_counts: dict[object, float] = field(default_factory=dict)

    def scrape(self, program: Program) -> Scrape:
        """Scrape, and hold what is shown against what was."""
        scrape = program.scrape()
        for sample, value in scrape.samples.items():
            if sample[0].endswith("_total") and sample[0].startswith(("qbusiness_sync", "qbusiness_doc")):
                assert value >= self.max_counts.get(sample, 0.0), sample
                self.max_counts[sample] = value
        return scrape

    def jobs(self, program: Program) -> float:
        """Count the jobs that are shown to have ended."""
        return self.scrape(program).value("qbusiness_sync_jobs_completed_total") or 0.0
