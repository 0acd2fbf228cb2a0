"""`serve` and a state file that disappears."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from tests.support.harness import Program, config_for, eventually, fleet_of, serve
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

COMPLETED = "qbusiness_sync_jobs_completed_total"
WRITE_FAILURES = "qbusiness_exporter_state_write_failures_total"


def add_failed_job(source: SimulatedDataSource, clock: ManualClock, number: int) -> None:
    """Add a job that fails, and advance the clock beyond its end."""
    source.jobs.append(PlannedJob(make_id(number), clock.now() + 10, 10, 10, "FAILED"))
    clock.advance(60)


def counts_failed(program: Program, source: SimulatedDataSource, count: int) -> bool:
    """Return whether a source has a number of failed jobs."""
    return program.scrape().value(COMPLETED, data_source_id=source.id, status="FAILED") == count


def test_counters_continue_after_the_state_file_was_removed(tmp_path: Path) -> None:
    """A kill later, all counts are there, those of a source without news too."""
    clock, state = ManualClock(time.time()), tmp_path / "state.db"
    busy, quiet = SimulatedDataSource("busy"), SimulatedDataSource("quiet")
    with SimulatedQBusiness(fleet_of(busy, quiet), clock) as service:
        config = config_for(service, state)
        with serve(tmp_path, config) as program:
            program.until_ready()
            add_failed_job(quiet, clock, 1)
            add_failed_job(busy, clock, 2)
            eventually(lambda: counts_failed(program, quiet, 1) and counts_failed(program, busy, 1))
            for file in tmp_path.glob("state.db*"):
                file.unlink()
            eventually(lambda: program.scrape().value(WRITE_FAILURES) == 1)
            add_failed_job(busy, clock, 3)
            eventually(lambda: counts_failed(program, busy, 2))
            program.kill()
        with serve(tmp_path, config) as program:
            scrape = program.scrape()
            assert scrape.value(COMPLETED, data_source_id=quiet.id, status="FAILED") == 1
            assert scrape.value(COMPLETED, data_source_id=busy.id, status="FAILED") == 2
