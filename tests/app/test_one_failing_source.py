"""Whether a target is up while one data source fails, although the others are polled once an hour."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, eventually, fleet_of, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.harness import Program

UP = "qbusiness_exporter_target_up"
FAILURES = "qbusiness_exporter_poll_failures_total"
JOBS = "ListDataSourceSyncJobs"
FAULTS = {"reset": "connection", "denied": "access_denied"}


@pytest.fixture
def service() -> Iterator[SimulatedEndpoint]:
    """Yield a service with a data source that is syncing, which is polled often, and two idle ones."""
    busy = SimulatedDataSource("busy", jobs=[PlannedJob("e" * 36, time.time() - 900, outcome=None)])
    with SimulatedEndpoint(fleet_of(busy, SimulatedDataSource("idle"), SimulatedDataSource("other"))) as running:
        yield running


def started(service: SimulatedEndpoint, tmp_path: Path) -> Program:
    """Return a program that polls the idle data sources once an hour."""
    return serve(tmp_path, config_for(service, ":memory:", interval="100ms", idle_interval="1h", timeout="2s"))


def polls_of(service: SimulatedEndpoint, sources: list[str]) -> int:
    """Return the number of polls of data sources."""
    calls = [logged.call for logged in service.requests]
    return len([call for call in calls if call.operation == JOBS and call.source in sources])


def fails(program: Program, reason: str, times: int) -> bool:
    """Return whether a number of polls have failed."""
    return (program.scrape().value(FAILURES, reason=reason) or 0) >= times


@pytest.mark.parametrize("kind", FAULTS)
def test_one_failing_source_leaves_the_target_up(service: SimulatedEndpoint, tmp_path: Path, kind: str) -> None:
    """One other data source is polled to check that AWS still responds, but not again after each failure."""
    busy, *idle = [source.id for _, _, source in service.fleet.data_sources()]
    with started(service, tmp_path) as program:
        eventually(lambda: program.scrape().value("qbusiness_poll_success") == 3)
        before = polls_of(service, idle)
        service.faults.add(kind, operation=JOBS, data_source_id=busy)
        eventually(lambda: polls_of(service, idle) > before)
        eventually(lambda: fails(program, FAULTS[kind], 2))
        assert polls_of(service, idle) == before + 1
        assert program.scrape().value(UP) == 1
        assert program.scrape().value("qbusiness_poll_success", data_source="busy") == 0
        service.faults.clear()
        eventually(lambda: program.scrape().value("qbusiness_poll_success") == 3)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_target_that_fails_is_down_after_two_sources(service: SimulatedEndpoint, tmp_path: Path, kind: str) -> None:
    """The second source is polled early. The first success brings the target up again."""
    with started(service, tmp_path) as program:
        eventually(lambda: program.scrape().value("qbusiness_poll_success") == 3)
        service.faults.add(kind, operation=JOBS)
        eventually(lambda: program.scrape().value(UP) == 0)
        assert JOBS in program.get("/api/v1/data-sources")[1]
        service.faults.clear()
        eventually(lambda: program.scrape().value(UP) == 1)
