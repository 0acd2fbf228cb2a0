"""Replaced targets report nothing after a reload, and their successors continue with their state."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from tests.support.harness import config_for, eventually, fleet_of
from tests.support.held_service import HeldService
from tests.support.running_exporter import RunningExporter, poll_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTHING = {"exclude": [{"type": "*"}]}
TARGET_UP = "qbusiness_exporter_target_up"


def source(name: str) -> SimulatedDataSource:
    """Return a data source with one ended job."""
    return SimulatedDataSource(name, jobs=[PlannedJob(make_id(name), time.time() - 900, 60, 30)])


@pytest.fixture
def service() -> Iterator[HeldService]:
    """Yield a service with three data sources."""
    with HeldService(fleet_of(source("hr"), source("it"), source("law"))) as service:
        yield service


def with_long_intervals(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with which no requests follow the first ones."""
    return {**config, "polling": {**config["polling"], "interval": "1h", "idle_interval": "1h", "concurrency": 2}}


def test_requests_that_end_after_the_reload_leave_target_up_at_1(service: HeldService) -> None:
    """The denied requests of the replaced target do not affect its successor, which sends no requests."""
    config = config_for(service, ":memory:")
    with RunningExporter(config) as program:
        program.until_ready()
        replaced = poll_threads()
        with service.holding("ListDataSourceSyncJobs", 3):
            program.reload(with_long_intervals(config))
        eventually(lambda: not any(thread.is_alive() for thread in replaced))
        assert program.scrape().value(TARGET_UP) == 1
        assert program.scrape().value("qbusiness_poll_success") == 3


def test_requests_of_a_removed_target_bring_no_series_back(service: HeldService) -> None:
    """The series with the name of the removed target do not appear after the reload."""
    config = config_for(service, ":memory:")
    other = {"name": "other", "region": "us-east-1", "endpoint_url": service.url, "discovery": NOTHING}
    with RunningExporter(config) as program:
        program.until_ready()
        replaced = poll_threads()
        with service.holding("ListDataSourceSyncJobs", 3):
            program.reload({**config, "targets": [other]})
        eventually(lambda: not any(thread.is_alive() for thread in replaced))
        targets = {dict(labels).get("target") for _, labels in program.scrape().samples}
        assert targets == {None, "other"}


def test_a_higher_rate_limit_applies_to_requests_that_wait(service: HeldService) -> None:
    """The first pass would take minutes. After the reload it ends within seconds, without a restart of the pass."""
    slow = config_for(service, ":memory:", requests_per_second=0.01)
    with RunningExporter(slow) as program:
        eventually(lambda: service.requests)
        program.reload(config_for(service, ":memory:", requests_per_second=5))
        assert program.scrape().value("qbusiness_exporter_api_request_rate_limit") == 5
        eventually(lambda: program.scrape().value("qbusiness_poll_success") == 3)
        assert program.request("GET", "/-/healthy")[0] == 200


def named(config: dict[str, Any], **names: str) -> dict[str, Any]:
    """Return a configuration whose first data source has display names."""
    (target,) = config["targets"]
    first, *others = target["data_sources"]
    return {**config, "targets": [{**target, "data_sources": [{**first, **names}, *others]}]}


def test_a_source_keeps_a_name_that_the_configuration_loses(service: HeldService) -> None:
    """While AWS does not return the names, the source is polled and counted. Then it gets the names from AWS."""
    config = config_for(service, ":memory:")
    (_, _, hr), *_ = service.fleet.data_sources()
    fault = service.faults.add("not_object", operation="GetApplication")
    with RunningExporter(named(config, application="Intranet", name="People")) as program:
        eventually(lambda: program.scrape().value("qbusiness_poll_success", data_source="People") == 1)
        program.reload(config)
        hr.jobs.append(PlannedJob(make_id("new"), time.time(), 0.1, 0.1))
        completed = "qbusiness_sync_jobs_completed_total"
        labels = {"application": "Intranet", "data_source": "People", "status": "SUCCEEDED"}
        eventually(lambda: program.scrape().value(completed, **labels) == 1)
        assert program.scrape().value("qbusiness_poll_success", data_source="People") == 1
        service.faults.remove(fault)
        eventually(lambda: program.scrape().value(completed, application="intranet", data_source="hr") == 1)
        assert program.scrape().value(completed, data_source="People") is None
