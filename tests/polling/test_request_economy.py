"""The requests that polling spends: on virtual time against fixed-interval pollers, and over HTTP."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from benchmarks.polling.fixed_interval import poll_at_fixed_interval
from benchmarks.polling.fleet import make_fleet
from benchmarks.polling.simulation import Simulation
from exporter.domain.units import DAY, HOUR
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, eventually, fleet_of, serve
from tests.support.request_log import logged_requests

if TYPE_CHECKING:
    from pathlib import Path

MONDAY = 1_795_478_400.0


def polls_of(service: SimulatedEndpoint) -> Counter[str]:
    """Return how often each data source was polled since the log of requests was cleared."""
    return Counter(logged.call.data_source_id for logged in logged_requests(service, "ListDataSourceSyncJobs"))


@pytest.mark.trial
def test_a_virtual_day_costs_a_fraction_of_a_fixed_interval_and_is_as_prompt() -> None:
    """For 100 sources: less than a quarter of the requests, and scheduled jobs counted within a minute."""
    end = MONDAY + 2 * HOUR + DAY
    sources = make_fleet(100, MONDAY, end + HOUR)
    ours = Simulation(sources, MONDAY, 5.0)
    ours.run(end + HOUR)
    measured = (MONDAY + 2 * HOUR, end)
    requests, _ = poll_at_fixed_interval(sources, *measured, rereads=True)
    polls = sum(count for minute, count in ours.service.polls.items() if measured[0] <= minute * 60 < measured[1])
    assert polls < sum(requests.values()) / 4
    ended = [(source, job) for source in sources for job in source.jobs if measured[0] <= job.ended < measured[1]]
    assert len(ended) > 200
    assert all(job.id in ours.store.counted for _, job in ended)
    delays = {True: [0.0], False: [0.0]}
    for source, job in ended:
        delays[bool(source.schedule)].append(ours.store.counted[job.id] - job.ended)
    assert min(delays[True] + delays[False]) >= 0
    assert sorted(delays[True])[int(0.99 * len(delays[True]))] < 61
    assert max(delays[True]) < 120
    assert max(delays[False]) < 301 + 60


def test_scheduled_jobs_are_counted_promptly_under_a_rate_limit_that_is_too_low() -> None:
    """The limit is a tenth of the rate that the idle sources need: they are late, but none starves."""
    end = MONDAY + 12 * HOUR
    sources = make_fleet(150, MONDAY, end)
    ours = Simulation(sources, MONDAY, 0.1)
    ours.run(end)
    since = MONDAY + 4 * HOUR
    delays = [
        ours.store.counted[job.id] - job.ended
        for source in sources
        if source.schedule
        for job in source.jobs
        if since <= job.ended < end - HOUR and job.id in ours.store.counted
    ]
    assert sum(ours.service.polls.values()) <= 0.1 * 12 * HOUR + 10
    assert sorted(delays)[len(delays) // 2] < 600
    assert ours.queue.lag(end) < 6 * HOUR


@pytest.mark.trial
def test_sources_with_a_sync_in_progress_are_polled_at_the_active_interval(tmp_path: Path) -> None:
    """Of 20 sources, 18 are polled at the idle interval and two at the active one."""
    now = time.time()
    idle = [SimulatedDataSource(f"idle-{n}", jobs=[PlannedJob(make_id("i", n), now - HOUR, 60, 30)]) for n in range(18)]
    busy = [SimulatedDataSource(f"busy-{n}", jobs=[PlannedJob(make_id("b", n), now - 60, DAY, 30)]) for n in range(2)]
    with SimulatedEndpoint(fleet_of(*idle, *busy)) as service:
        config = config_for(service, ":memory:", interval="300ms", idle_interval="3s")
        with serve(tmp_path, config) as program:
            program.until_ready()
            service.requests.clear()
            began = time.monotonic()
            eventually(lambda: all(polls_of(service)[source.id] >= 20 for source in busy))
            polled, seconds = polls_of(service), time.monotonic() - began
    assert all(1 <= polled[source.id] <= seconds / 3 + 2 for source in idle)
    assert all(polled[source.id] <= seconds / 0.3 + 2 for source in busy)


@pytest.mark.trial
def test_a_source_with_a_due_sync_is_polled_at_the_active_interval(tmp_path: Path) -> None:
    """This holds until a job has started; a source that was never synced is polled at the idle interval."""
    now = time.time()
    schedule = f"cron({time.gmtime(now).tm_min} {time.gmtime(now).tm_hour} * * ? *)"
    before = [PlannedJob(make_id("before"), now - DAY, 60, 30)]
    done = [PlannedJob(make_id("done"), now - time.gmtime(now).tm_sec, 1, 1)]
    due, synced, never = (
        SimulatedDataSource("due", schedule=schedule, jobs=before),
        SimulatedDataSource("synced", schedule=schedule, jobs=done),
        SimulatedDataSource("never", schedule=schedule),
    )
    with SimulatedEndpoint(fleet_of(due, synced, never)) as service:
        config = config_for(service, ":memory:", interval="300ms", idle_interval="30s")
        with serve(tmp_path, config) as program:
            program.until_ready()
            service.requests.clear()
            began = time.monotonic()
            eventually(lambda: polls_of(service)[due.id] >= 8)
            polled, seconds = polls_of(service), time.monotonic() - began
    assert polled[synced.id] <= seconds / 30 + 1
    assert polled[never.id] <= seconds / 30 + 1


@pytest.mark.trial
def test_the_rate_limit_holds_over_http_and_halves_when_throttled(tmp_path: Path) -> None:
    """It holds over any ten seconds, and includes discovery, retries and STS; the rate is a metric."""
    sources = [
        SimulatedDataSource(f"s-{n}", jobs=[PlannedJob(make_id(n), time.time() - 60, DAY, 30)]) for n in range(30)
    ]
    limit = "qbusiness_exporter_api_request_rate_limit"
    with SimulatedEndpoint(fleet_of(*sources)) as service:
        config = config_for(service, ":memory:", interval="100ms", idle_interval="100ms", requests_per_second=20)
        config["targets"][0] |= {"data_sources": [], "discovery": {"interval": "500ms"}}
        with serve(tmp_path, config) as program:
            eventually(lambda: program.scrape().value(limit) == 20)
            eventually(lambda: len(service.requests) >= 20 * 12)
            moments = sorted(logged.monotonic for logged in service.requests)
            counts = [sum(first <= moment < first + 10 for moment in moments) for first in moments]
            in_flight = 8  # the default of polling.concurrency; on a busy machine they arrive late
            assert max(counts) <= 20 * 10 + 1 + in_flight
            lag = program.scrape().value("qbusiness_exporter_poll_lag_seconds", target="test")
            assert lag is not None
            assert lag > 0.5
            service.faults.add("throttled", times=3)
            eventually(lambda: (program.scrape().value(limit) or 99) <= 11)
            service.requests.clear()
            eventually(lambda: len(service.requests) >= 40)
            moments = sorted(logged.monotonic for logged in service.requests)
            assert moments[39] - moments[0] >= (39 - 1 - in_flight) / 12
