"""A host whose clock is stepped by hours while the program runs, and while it is down."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from exporter.simulator.clock import ScaledClock
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedQBusiness
from tests.support.harness import Program, config_for, eventually, fleet_of, serve
from tests.support.oracle import DiscoveryObserver, lively, settle

STEPS = ("+5h", "-7h", "+30d", "-1d", "+0")
POLLED = "qbusiness_last_successful_poll_timestamp_seconds"


def test_totals_are_the_truth_whatever_the_hosts_clock_does(tmp_path: Path) -> None:
    """Stepped forward and back by hours and days, also over a kill: polls go on in time, and no counter falls."""
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
    watcher = DiscoveryObserver()
    offset.write_text("+0\n")
    with SimulatedQBusiness(fleet_of(*sources), clock) as service:
        config = config_for(service, tmp_path / "state.db")
        with serve(tmp_path, config, **env) as program:
            program.until_ready()
            for source in sources:
                source.routine = lively(source.name, clock.now() + 1.5).routine
            for step in STEPS:
                offset.write_text(f"{step}\n")
                see_it_go_on(program, watcher, clock)
            offset.write_text("-7h\n")
            program.kill()
        with serve(tmp_path, config, **env) as program:
            eventually(lambda: watcher.jobs(program) > 0)
            assert settle(program, sources, clock) > 10
            logged = "".join(program.log)
            assert time.strftime("%Y-%m-%dT", time.gmtime(time.time() - 7 * 3600)) in logged


def see_it_go_on(program: Program, watcher: DiscoveryObserver, clock: ScaledClock) -> None:
    """See that jobs are counted, and that polls are told by AWS's clock."""
    before, now = watcher.jobs(program), clock.now()
    eventually(lambda: watcher.jobs(program) > before + 2)
    eventually(lambda: _polled(program) >= now)
    assert _polled(program) == pytest.approx(clock.now(), abs=60)  # of hours by which the host's clock is wrong
    assert program.get("/-/healthy")[0] == 200


def _polled(program: Program) -> float:
    scrape = program.scrape()
    polled = [value for (name, _), value in scrape.samples.items() if name == POLLED]
    return min(polled, default=0.0)
