"""A host whose clock is stepped by hours while the program runs, and across a restart."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from exporter.simulator.clock import ScaledClock
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import NEW_INTERPRETER, Program, config_for, eventually, fleet_of, serve
from tests.support.oracle import CounterMonitor, busy_source, finish_jobs

STEPS = ("+5h", "-7h", "+30d", "-1d", "+0")
LAST_POLL = "qbusiness_last_successful_poll_timestamp_seconds"


def test_totals_are_correct_when_the_hosts_clock_is_set(tmp_path: Path) -> None:
    """After steps by hours and days, even across a kill, polls continue on time and no counter decreases."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    offset = tmp_path / "offset"
    env = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    clock = ScaledClock()
    sources = [SimulatedDataSource(f"source-{n}") for n in range(3)]
    monitor = CounterMonitor()
    offset.write_text("+0\n")
    with SimulatedEndpoint(fleet_of(*sources), clock) as service:
        config = config_for(service, tmp_path / "state.db")
        with serve_with_library(tmp_path, config, env) as program:
            program.until_ready()
            for source in sources:
                source.routine = busy_source(source.name, clock.now() + 1.5).routine
            for step in STEPS:
                offset.write_text(f"{step}\n")
                check_progress(program, monitor, clock)
            offset.write_text("-7h\n")
            program.kill()
        with serve_with_library(tmp_path, config, env) as program:
            eventually(lambda: monitor.jobs(program) > 0)
            assert finish_jobs(program, sources, clock) > 10
            logged = "".join(program.log)
            assert time.strftime("%Y-%m-%dT", time.gmtime(time.time() - 7 * 3600)) in logged


def serve_with_library(folder: Path, config: dict[str, Any], env: dict[str, str]) -> Program:
    """Return a program that is not forked, because the dynamic loader reads LD_PRELOAD at its start."""
    program = serve(folder, config, **env)
    program.command = NEW_INTERPRETER
    return program


def check_progress(program: Program, monitor: CounterMonitor, clock: ScaledClock) -> None:
    """Assert that the program counts jobs, and that the time of a poll is on AWS's clock."""
    before, now = monitor.jobs(program), clock.now()
    eventually(lambda: monitor.jobs(program) > before + 2)
    eventually(lambda: _last_poll(program) >= now)
    assert _last_poll(program) == pytest.approx(clock.now(), abs=60)  # the host's clock is wrong by hours
    assert program.get("/-/healthy")[0] == 200


def _last_poll(program: Program) -> float:
    scrape = program.scrape()
    polled = [value for (name, _), value in scrape.samples.items() if name == LAST_POLL]
    return min(polled, default=0.0)
