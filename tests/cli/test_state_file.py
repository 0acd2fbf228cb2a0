"""`serve` and a state file that disappears or cannot be written."""

from __future__ import annotations

import resource
import shutil
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import Program, config_for, eventually, fleet_of, serve
from tests.support.manual_clock import ManualClock
from tests.support.program_process import run_command
from tests.support.running_exporter import RunningExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

COMPLETED = "qbusiness_sync_jobs_completed_total"
WRITE_FAILURES = "qbusiness_exporter_state_write_failures_total"
STATE_UP = "qbusiness_exporter_state_up"


def add_failed_job(source: SimulatedDataSource, clock: ManualClock, number: int) -> None:
    """Add a job that fails, and advance the clock beyond its end."""
    source.jobs.append(PlannedJob(make_id(number), clock.now() + 10, 10, 10, "FAILED"))
    clock.advance(60)


def counts_failed(program: Program, source: SimulatedDataSource, count: int) -> bool:
    """Return whether a source has a number of failed jobs."""
    return program.scrape().value(COMPLETED, data_source_id=source.id, status="FAILED") == count


def test_counters_continue_after_the_state_file_was_removed(tmp_path: Path) -> None:
    """After a kill, all counts are restored, including the counts of a source without changes."""
    clock, state = ManualClock(time.time()), tmp_path / "state.db"
    busy, idle = SimulatedDataSource("busy"), SimulatedDataSource("idle")
    with SimulatedEndpoint(fleet_of(busy, idle), clock) as service:
        config = config_for(service, state)
        with serve(tmp_path, config) as program:
            program.until_ready()
            add_failed_job(idle, clock, 1)
            add_failed_job(busy, clock, 2)
            eventually(lambda: counts_failed(program, idle, 1) and counts_failed(program, busy, 1))
            for file in tmp_path.glob("state.db*"):
                file.unlink()
            eventually(lambda: program.scrape().value(WRITE_FAILURES) == 1)
            add_failed_job(busy, clock, 3)
            eventually(lambda: counts_failed(program, busy, 2))
            program.kill()
        with serve(tmp_path, config) as program:
            scrape = program.scrape()
            assert scrape.value(COMPLETED, data_source_id=idle.id, status="FAILED") == 1
            assert scrape.value(COMPLETED, data_source_id=busy.id, status="FAILED") == 2


@contextmanager
def removed_directory(_: Program, directory: Path) -> Iterator[None]:
    """Remove the directory of the state file for a while."""
    shutil.rmtree(directory)
    yield
    directory.mkdir()


@contextmanager
def full_disk(program: Program, _: Path) -> Iterator[None]:
    """Stop every file of the program from growing for a while."""
    limit = partial(resource.prlimit, program.process.pid, resource.RLIMIT_FSIZE)
    limit((0, resource.RLIM_INFINITY))
    yield
    limit((resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.parametrize("condition", [removed_directory, full_disk])
def test_the_state_is_down_while_it_cannot_be_written(
    tmp_path: Path, condition: Callable[[Program, Path], AbstractContextManager[None]]
) -> None:
    """Jobs are counted meanwhile, and the state is up again as soon as the disk accepts writes."""
    clock, directory = ManualClock(time.time()), tmp_path / "state"
    directory.mkdir()
    source = SimulatedDataSource("hr")
    with (
        SimulatedEndpoint(fleet_of(source), clock) as service,
        serve(tmp_path, config_for(service, directory / "state.db")) as program,
    ):
        program.until_ready()
        assert program.scrape().value(STATE_UP) == 1
        with condition(program, directory):
            add_failed_job(source, clock, 1)
            eventually(lambda: program.scrape().value(STATE_UP) == 0)
            eventually(lambda: counts_failed(program, source, 1))
            assert program.get("/-/healthy")[0] == 200
        eventually(lambda: program.scrape().value(STATE_UP) == 1)


def test_state_in_memory_is_up() -> None:
    """It is where the configuration specifies."""
    with SimulatedEndpoint(fleet_of()) as service, RunningExporter(config_for(service, ":memory:")) as program:
        assert program.scrape().value(STATE_UP) == 1


@pytest.mark.parametrize(
    ("arguments", "target", "error"),
    [
        (["serve"], {"profile": "missing"}, "the profile missing could not be found"),
        (["export"], {"profile": "missing"}, "the profile missing could not be found"),
        (
            ["export", "--output", "missing/metrics.prom"],
            {},
            "--output missing/metrics.prom: No such file or directory",
        ),
    ],
)
def test_a_start_that_fails_closes_the_state_file(
    tmp_path: Path, arguments: list[str], target: dict[str, str], error: str
) -> None:
    """No log of SQLite stays next to the file, so a backup of this one file is complete."""
    config = {"targets": [{"region": "us-east-1", **target}], "state": {"path": "state.db"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = run_command(*arguments, folder=tmp_path)
    assert (done.returncode, error in done.stderr) == (1, True), done.stderr
    assert not list(tmp_path.glob("state.db-*"))
