"""Fairness in real processes: one that is killed soon after each start, a low rate limit, and a long catch-up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain.units import DAY, HOUR
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, eventually, fleet_of, serve
from tests.support.manual_clock import ManualClock
from tests.support.request_log import logged_requests

if TYPE_CHECKING:
    from pathlib import Path

OPERATION = "ListDataSourceSyncJobs"
LAG = "qbusiness_exporter_poll_lag_seconds"


def sources_with_a_job(count: int) -> list[SimulatedDataSource]:
    """Build data sources that were synced an hour ago."""
    now = time.time()
    return [SimulatedDataSource(f"s-{n}", jobs=[PlannedJob(make_id(n), now - HOUR, 60, 30)]) for n in range(count)]


def polled_in_short_lives(
    lives: int, service: SimulatedEndpoint, tmp_path: Path, config: dict[str, Any]
) -> set[str | None]:
    """Run programs that are each killed after about 30 requests; return the data sources that were polled.

    At the end of each life, some polls wait for the rate limiter, so a few more lives are needed than the number of
    requests suggests. No further program starts once all data sources were polled.
    """
    polled: set[str | None] = set()
    for _ in range(lives):
        expected = len(logged_requests(service, OPERATION)) + 30
        with serve(tmp_path, config) as program:
            eventually(lambda: len(logged_requests(service, OPERATION)) >= expected)  # noqa: B023
            program.process.kill()
        polled = {logged.call.data_source_id for logged in logged_requests(service, OPERATION)}
        if len(polled) == len(list(service.fleet.data_sources())):
            break
    return polled


@pytest.mark.trial
def test_a_process_that_is_killed_after_each_start_polls_every_source(tmp_path: Path) -> None:
    """Each life sends about 30 requests, and 100 data sources need at least three times as many.

    No data source is due for a second poll in a life: on a busy host, such polls would take most of the requests.
    """
    sources = sources_with_a_job(100)
    with SimulatedEndpoint(fleet_of(*sources)) as service:
        config = config_for(
            service, str(tmp_path / "state.db"), interval="1h", idle_interval="1h", requests_per_second=20
        )
        assert polled_in_short_lives(20, service, tmp_path, config) == {source.id for source in sources}


@pytest.mark.trial
def test_sources_that_fail_or_hang_do_not_starve_the_others(tmp_path: Path) -> None:
    """Each life sends about 30 requests, and all data sources are polled in the end.

    Of the 60 data sources, 30 fail and ten hang.
    """
    sources = sources_with_a_job(60)
    with SimulatedEndpoint(fleet_of(*sources)) as service:
        for number, source in enumerate(sources[:40]):
            kind = "denied" if number % 4 else "hang"
            service.faults.add(kind, operation=OPERATION, data_source_id=source.id)
        pace = {"interval": "1h", "idle_interval": "1h", "requests_per_second": 20, "concurrency": 12}
        config = config_for(service, str(tmp_path / "state.db"), **pace, timeout="1m")
        assert polled_in_short_lives(8, service, tmp_path, config) == {source.id for source in sources}


@pytest.mark.trial
def test_a_low_rate_limit_is_healthy_and_its_lag_is_visible(tmp_path: Path) -> None:
    """Eight polls a second are due, and one request in ten seconds is allowed."""
    with SimulatedEndpoint(fleet_of(*sources_with_a_job(8))) as service:
        config = config_for(service, ":memory:", interval="1s", idle_interval="1s", requests_per_second=0.1)
        with serve(tmp_path, config) as program:
            eventually(lambda: (program.scrape().value(LAG, target="test") or 0.0) > 10)
            assert program.get("/-/healthy")[0] == 200


@pytest.mark.trial
@pytest.mark.timeout(300)
def test_a_long_catch_up_does_not_delay_other_sources(tmp_path: Path) -> None:
    """Eight data sources, one for each worker, have 1,000 unread jobs each. All are counted, and no poll is late."""
    start = time.time() - 20 * DAY
    clock = ManualClock(start)
    busy = SimulatedDataSource("busy", jobs=[PlannedJob(make_id("busy"), start - 60, 30 * DAY, 30)])
    behind = [
        SimulatedDataSource(
            f"behind-{n}", jobs=[PlannedJob(make_id(n, at), start + at * 1600, 30, 30) for at in range(1000)]
        )
        for n in range(8)
    ]
    with SimulatedEndpoint(fleet_of(busy, *behind), clock) as service:
        config = config_for(
            service, str(tmp_path / "state.db"), interval="1s", idle_interval="2s", requests_per_second=200
        )
        with serve(tmp_path, config) as program:
            program.until_ready()
            program.stop()
        clock.set(start + 20 * DAY)
        lags: list[float] = []

        def has_counted_all() -> bool:
            scrape = program.scrape()
            lags.append(scrape.value(LAG) or 0.0)
            return scrape.value("qbusiness_sync_jobs_completed_total", status="SUCCEEDED") == 8 * 1000

        with serve(tmp_path, config) as program:
            program.until_ready()
            lags.clear()
            eventually(has_counted_all, 120)
            assert not program.scrape().value("qbusiness_exporter_poll_failures_total")
        assert max(lags) < 10
