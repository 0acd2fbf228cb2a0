"""Requests are spent where syncs are running: on virtual time against fixed-interval pollers, and over the wire."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from benchmarks.polling.fixed_interval import poll_at_fixed_interval
from benchmarks.polling.fleet import make_fleet
from benchmarks.polling.simulation import Simulation
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from tests.support.harness import config_for, eventually, fleet_of, serve

if TYPE_CHECKING:
    from pathlib import Path

MONDAY = 1_795_478_400.0
HOUR, DAY = 3600.0, 86400.0


def worst_of(counts: Counter[int], seconds: int) -> int:
    """Give the most requests in any so many seconds."""
    return max(sum(counts[moment + n] for n in range(seconds)) for moment in counts)


@pytest.mark.trial
def test_a_virtual_day_costs_a_fraction_of_a_fixed_intervals_and_is_as_prompt() -> None:
    """A hundred sources: under a quarter of the requests, every job counted, and scheduled ones within a minute."""
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


def test_under_a_budget_that_is_too_small_what_is_scheduled_stays_prompt() -> None:
    """A tenth of the requests that the quiet sources alone would want: those are late, and nobody starves."""
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
def test_the_request_log_of_a_fleet_shows_what_is_syncing(tmp_path: Path) -> None:
    """Nine in ten idle, one in ten syncing: the busy ones are asked at their interval, the idle ones at theirs."""
    now = time.time()
    idle = [SimulatedDataSource(f"idle-{n}", jobs=[PlannedJob(make_id("i", n), now - HOUR, 60, 30)]) for n in range(18)]
    busy = [SimulatedDataSource(f"busy-{n}", jobs=[PlannedJob(make_id("b", n), now - 60, DAY, 30)]) for n in range(2)]
    with SimulatedQBusiness(fleet_of(*idle, *busy)) as service:
        config = config_for(service, ":memory:", interval="300ms", idle_interval="3s")
        with serve(tmp_path, config) as program:
            program.until_ready()
            service.requests.clear()
            time.sleep(9)
            asked = Counter(logged.call.data_source_id for logged in service.logged("ListDataSourceSyncJobs"))
    assert all(2 <= asked[source.id] <= 4 for source in idle)
    assert all(20 <= asked[source.id] <= 31 for source in busy)


@pytest.mark.trial
def test_a_due_sync_is_looked_for_at_the_shorter_interval(tmp_path: Path) -> None:
    """From its firing on until it was seen to start; one that was never synced is not."""
    now = time.time()
    schedule = f"cron({time.gmtime(now).tm_min} {time.gmtime(now).tm_hour} * * ? *)"
    before = [PlannedJob(make_id("before"), now - DAY, 60, 30)]
    done = [PlannedJob(make_id("done"), now - time.gmtime(now).tm_sec, 1, 1)]
    due, synced, never = (
        SimulatedDataSource("due", schedule=schedule, jobs=before),
        SimulatedDataSource("synced", schedule=schedule, jobs=done),
        SimulatedDataSource("never", schedule=schedule),
    )
    with SimulatedQBusiness(fleet_of(due, synced, never)) as service:
        config = config_for(service, ":memory:", interval="300ms", idle_interval="30s")
        with serve(tmp_path, config) as program:
            program.until_ready()
            service.requests.clear()
            time.sleep(4)
            asked = Counter(logged.call.data_source_id for logged in service.logged("ListDataSourceSyncJobs"))
    assert asked[due.id] >= 8
    assert asked[synced.id] <= 1
    assert asked[never.id] <= 1


@pytest.mark.trial
def test_the_budget_holds_over_the_wire_and_halves_when_throttled(tmp_path: Path) -> None:
    """Over any ten seconds, discovery, retries and the account's id included; the rate is a metric."""
    sources = [
        SimulatedDataSource(f"s-{n}", jobs=[PlannedJob(make_id(n), time.time() - 60, DAY, 30)]) for n in range(30)
    ]
    limit = "qbusiness_exporter_api_request_rate_limit"
    with SimulatedQBusiness(fleet_of(*sources)) as service:
        config = config_for(service, ":memory:", interval="100ms", idle_interval="100ms", requests_per_second=20)
        config["targets"][0] |= {"data_sources": [], "discovery": {"interval": "500ms"}}
        with serve(tmp_path, config) as program:
            eventually(lambda: program.scrape().value(limit) == 20)
            time.sleep(12)
            moments = sorted(logged.monotonic for logged in service.requests)
            counts = [sum(first <= moment < first + 10 for moment in moments) for first in moments]
            assert max(counts) <= 20 * 10 + 2
            assert max(counts) > 20 * 10 * 0.9
            lag = program.scrape().value("qbusiness_exporter_poll_lag_seconds", target="test")
            assert lag is not None
            assert lag > 0.5
            service.faults.add("throttled", times=3)
            eventually(lambda: (program.scrape().value(limit) or 99) <= 11)
            began = len(service.requests)
            time.sleep(3)
            assert len(service.requests) - began <= 3 * 12
