"""`serve` with a wrong Date header at first contact: the counts once the header is correct."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain.units import HOUR
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import Program, config_for, eventually, fleet_of, serve

if TYPE_CHECKING:
    from pathlib import Path

COMPLETED, JOBS = "qbusiness_sync_jobs_completed_total", "qbusiness_sync_jobs"
CORRECTED = "start of counting corrected"


pytestmark = pytest.mark.trial  # the Date header has a resolution of one second, for which each test waits


@pytest.fixture(params=["named", "discovered"])
def kind(request: pytest.FixtureRequest) -> str:
    """Return whether the configuration names the data source, or discovery finds it."""
    return str(request.param)


def config_of(service: SimulatedEndpoint, kind: str, state: Path) -> dict[str, Any]:
    """Return a configuration that names the data sources, or discovers them."""
    config = config_for(service, state)
    if kind == "discovered":
        del config["targets"][0]["data_sources"]
        config["targets"][0]["discovery"] = {"interval": "1s"}
    return config


def fail_20_jobs(source: SimulatedDataSource) -> None:
    """Add 20 jobs that have failed within the last second."""
    now = time.time()
    source.jobs += [PlannedJob(make_id(number), now - 0.9, 0.4, 0.4, "FAILED") for number in range(20)]


def failures(program: Program, family: str = COMPLETED) -> float | None:
    """Return the number of failed jobs on the page."""
    return program.scrape().value(family, status="FAILED")


def wait_for_first_poll(program: Program) -> None:
    """Wait until the data source was polled, and for the second in which it was: jobs count after it."""
    eventually(lambda: program.scrape().value("qbusiness_poll_success") == 1)
    # The correction is precise to a second of both clocks. If the clock of the service were moved instead, it would
    # differ from the clock of the host, and the correction measures this difference.
    time.sleep(2.5)


def test_a_clock_ahead_at_first_contact_costs_no_count(tmp_path: Path, kind: str) -> None:
    """The first Dates are two hours ahead. Jobs that end later count at once when the Date is correct."""
    source = SimulatedDataSource("hr")
    with SimulatedEndpoint(fleet_of(source)) as service:
        service.date_error = 2 * HOUR
        with serve(tmp_path, config_of(service, kind, tmp_path / "state.db")) as program:
            wait_for_first_poll(program)
            service.date_error = 0.0
            fail_20_jobs(source)
            eventually(lambda: failures(program) == 20)
            program.until_logged(CORRECTED)


def test_jobs_that_a_clock_ahead_made_history_are_counted_later(tmp_path: Path, kind: str) -> None:
    """While the Date is wrong, they seem to have ended before the first contact."""
    source = SimulatedDataSource("hr")
    with SimulatedEndpoint(fleet_of(source)) as service:
        service.date_error = 2 * HOUR
        with serve(tmp_path, config_of(service, kind, tmp_path / "state.db")) as program:
            wait_for_first_poll(program)
            fail_20_jobs(source)
            eventually(lambda: failures(program, JOBS) == 20)
            assert failures(program) == 0
            service.date_error = 0.0
            eventually(lambda: failures(program) == 20)


def test_a_clock_ahead_at_first_contact_is_corrected_after_a_kill(tmp_path: Path, kind: str) -> None:
    """The state file has the necessary data, so the jobs of the downtime count too."""
    source = SimulatedDataSource("hr")
    with SimulatedEndpoint(fleet_of(source)) as service:
        config = config_of(service, kind, tmp_path / "state.db")
        service.date_error = 2 * HOUR
        with serve(tmp_path, config) as program:
            wait_for_first_poll(program)
            program.kill()
            service.date_error = 0.0
            fail_20_jobs(source)
        with serve(tmp_path, config) as program:
            eventually(lambda: failures(program) == 20)
            program.kill()
        with serve(tmp_path, config) as program:
            assert failures(program) == 20
            assert not program.log_lines(CORRECTED)


def test_a_clock_behind_at_first_contact_counts_no_history(tmp_path: Path, kind: str) -> None:
    """The host and the jobs contradict it, so it is not used, which is logged. Later jobs count."""
    old = [PlannedJob(make_id("old", number), time.time() - HOUR, 60, 60, "FAILED") for number in range(5)]
    source = SimulatedDataSource("hr", jobs=old)
    with SimulatedEndpoint(fleet_of(source)) as service:
        service.date_error = -2 * HOUR
        with serve(tmp_path, config_of(service, kind, tmp_path / "state.db")) as program:
            wait_for_first_poll(program)
            assert failures(program) == 0
            program.until_logged("Date header is behind")
            service.date_error = 0.0
            fail_20_jobs(source)
            eventually(lambda: failures(program, JOBS) == 25)
            assert failures(program) == 20
