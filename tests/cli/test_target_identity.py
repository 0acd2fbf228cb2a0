"""`serve` after a change of the identity or the name of a target."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain.units import HOUR
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import Program, Scrape, eventually, serve
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

COMPLETED, INFO = "qbusiness_sync_jobs_completed_total", "qbusiness_data_source_info"


def fleet_of(name: str, *sources: SimulatedDataSource, account: str = "111122223333") -> Fleet:
    """Return a fleet with one index in an application of a name."""
    index = SimulatedIndex(f"index of {name}", list(sources))
    return Fleet([SimulatedApplication(name, [index])], account=account)


def failed(number: int, started: float) -> PlannedJob:
    """Return a job that fails within a minute."""
    return PlannedJob(make_id(number), started, 20, 20, "FAILED")


def target(service: SimulatedEndpoint, name: str, **discovery: Any) -> dict[str, Any]:
    """Return a target that discovers the data sources of a service."""
    settings = {"interval": "1s", **discovery}
    return {"name": name, "region": "us-east-1", "endpoint_url": service.url, "discovery": settings}


def config_of(state: Path, targets: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return a configuration that polls at short intervals."""
    polling = {"interval": "100ms", "idle_interval": "100ms", "requests_per_second": 500, "timeout": "2s"}
    return {"targets": list(targets), "polling": polling, "state": {"path": str(state)}}


def failures(scrape: Scrape, source: SimulatedDataSource) -> float | None:
    """Return the number of failed jobs of a source."""
    return scrape.value(COMPLETED, data_source_id=source.id, status="FAILED")


def test_another_account_under_the_same_name_is_another_target(tmp_path: Path) -> None:
    """Its earlier jobs are not counted, its own account is shown, and the sources of the old one are removed."""
    clock, state = ManualClock(time.time()), tmp_path / "state.db"
    ours, theirs = SimulatedDataSource("ours"), SimulatedDataSource("theirs", created=clock.now() + HOUR)
    mine, other = fleet_of("first", ours), fleet_of("second", theirs, account="444455556666")
    with SimulatedEndpoint(mine, clock) as first, SimulatedEndpoint(other, clock) as second:
        with serve(tmp_path, config_of(state, [target(first, "production")])) as program:
            eventually(lambda: failures(program.scrape(), ours) == 0)
        clock.advance(2 * HOUR)
        theirs.jobs.append(failed(1, clock.now() - HOUR / 2))
        with serve(tmp_path, config_of(state, [target(second, "production")])) as program:
            eventually(lambda: failures(program.scrape(), theirs) is not None)
            theirs.jobs.append(failed(2, clock.now() + 10))
            clock.advance(60)
            eventually(lambda: failures(program.scrape(), theirs))
            scrape = program.scrape()
    assert failures(scrape, theirs) == 1
    assert scrape.value(INFO, data_source_id=theirs.id, aws_account_id="444455556666") == 1
    assert failures(scrape, ours) is None


def test_a_renamed_target_continues_while_aws_is_away(tmp_path: Path) -> None:
    """Once STS has responded, the sources of its account are there with their counts, names and account."""
    clock, state, source = ManualClock(time.time()), tmp_path / "state.db", SimulatedDataSource("hr")
    with SimulatedEndpoint(fleet_of("intranet", source), clock) as service:
        with serve(tmp_path, config_of(state, [target(service, "before")])) as program:
            eventually(lambda: failures(program.scrape(), source) == 0)
            source.jobs.append(failed(1, clock.now() + 10))
            clock.advance(60)
            eventually(lambda: failures(program.scrape(), source) == 1)
        service.faults.add("throttled", operation="ListApplications")
        service.faults.add("throttled", operation="ListDataSourceSyncJobs")
        with serve(tmp_path, config_of(state, [target(service, "after")])) as program:
            eventually(lambda: failures(program.scrape(), source) == 1)
            labels = {"data_source_id": source.id, "aws_account_id": "111122223333"}
            assert program.scrape().value(INFO, application="intranet", data_source="hr", **labels) == 1


@pytest.mark.trial
def test_targets_on_one_account_can_be_merged_and_split(tmp_path: Path) -> None:
    """The sources keep their counts, and jobs that end during the change are counted."""
    clock, state = ManualClock(time.time()), tmp_path / "state.db"
    sources = [SimulatedDataSource(name) for name in ("hr", "it")]
    with SimulatedEndpoint(fleet_of("intranet", *sources), clock) as service:
        split = [target(service, name, include=[{"data_source": name}]) for name in ("hr", "it")]
        for run, targets in enumerate((split, [target(service, "merged")], split)):
            expected = [float(run)] * len(sources)
            with serve(tmp_path, config_of(state, targets)) as program:
                eventually(partial(has_counts, program, sources, expected))
            for number, source in enumerate(sources):
                source.jobs.append(failed(10 * run + number, clock.now() + 10))
            clock.advance(60)


def has_counts(program: Program, sources: Iterable[SimulatedDataSource], expected: list[float]) -> bool:
    """Return whether the sources have these numbers of failed jobs."""
    scrape = program.scrape()
    return [failures(scrape, source) for source in sources] == expected
