"""The alert about a data source that is never polled, because the exporter is killed soon after each start."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from exporter.domain.units import HOUR
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.alert_rules import RULE_FILES
from tests.support.harness import TIMEOUT, config_for, eventually, fleet_of, free_port, serve
from tests.support.manual_clock import ManualClock
from tests.support.prometheus_server import prometheus, scrape_config
from tests.support.time_scaling import scale_duration, write_scaled

if TYPE_CHECKING:
    from pathlib import Path

INTERVAL = "500ms"
SUCCESS = "qbusiness_poll_success"
STALE = 'ALERTS{alertname="QBusinessDataStale", alertstate="firing", data_source="starved"}'


@pytest.mark.trial  # the alert waits for half an hour, which is shortened to 20 s
@pytest.mark.timeout(300)
def test_a_data_source_that_no_life_polls_is_stale(tmp_path: Path) -> None:
    """Its last successful poll is hours old, and `poll_success` is absent. The other data source is polled."""
    clock, starved = ManualClock(time.time() - 2 * HOUR), SimulatedDataSource("starved")
    with SimulatedEndpoint(fleet_of(starved, SimulatedDataSource("polled")), clock) as service:
        program = serve(tmp_path, config_for(service, tmp_path / "state.db", timeout="10m"))
        program.listen = f"127.0.0.1:{free_port()}"
        with program:
            program.until_ready()
            program.stop()
        program.log.clear()
        clock.set(time.time())
        service.faults.add("hang", operation="ListDataSourceSyncJobs", data_source_id=starved.id)
        config = scrape_config(program.listen, interval=INTERVAL)
        config["global"]["evaluation_interval"] = INTERVAL
        config["rule_files"] = [str(write_scaled(file, tmp_path)) for file in RULE_FILES]
        program.start()
        with prometheus(tmp_path, config, f"--query.lookback-delta={scale_duration('5m')}") as server:
            deadline = time.monotonic() + 2 * TIMEOUT
            while server.value(STALE) is None:
                assert time.monotonic() < deadline
                program.kill()
                program.log.clear()  # the next process listens when it logs it
                program.start()
                eventually(lambda: program.scrape().value(SUCCESS, data_source="polled") == 1)
                assert program.scrape().value(SUCCESS, data_source="starved") is None
            assert server.value("count(ALERTS{alertname='QBusinessDataStale', alertstate='firing'})") == 1
        program.kill()
