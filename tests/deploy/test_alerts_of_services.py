"""Alerts of Kendra and Bedrock end to end: one exporter watches both, and a real Prometheus evaluates their rules.

test_alerts_end_to_end.py causes every alert for Q Business. The rules of all services come from the same templates, so
a few alerts show that the series of the other services match them.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain.units import HOUR
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.alert_rules import RULE_FILES
from tests.support.harness import eventually, serve
from tests.support.prometheus_server import prometheus, scrape_config
from tests.support.provider_rig import CASES
from tests.support.time_scaling import scale_duration, write_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.prometheus_server import Prometheus
    from tests.support.service_case import ServiceCase

INTERVAL = "500ms"
TIMEOUT = 180.0  # seconds; the alerts wait for an hour, which is shortened to 40 seconds
OTHERS = [case for case in CASES if str(case) != "qbusiness"]
FAILURES = {
    ("SyncFailingRepeatedly", "failing"),
    ("SyncIncomplete", "incomplete"),
    ("DataSourceNotActive", "inactive"),
    ("ContainerNotActive", "broken"),
}
HEALTHY = {"calm", "main"}


def fleet_of(case: ServiceCase) -> Fleet:
    """Return two containers, one of them broken, and the data sources of the alerts. Maintenance is not a failure."""
    statuses = case.service.healthy_container_statuses
    main = SimulatedIndex("main", _data_sources(case), kind=case.index_type, status=statuses[-1])
    broken = SimulatedIndex("broken", kind=case.index_type, status="FAILED")
    return Fleet([SimulatedApplication("intranet", [main, broken])])


def _data_sources(case: ServiceCase) -> list[SimulatedDataSource]:
    now, kind = time.time(), case.source_types[0]

    def source(name: str, *jobs: PlannedJob, status: str = "ACTIVE") -> SimulatedDataSource:
        return SimulatedDataSource(name, kind, status, created=now - 90 * HOUR, jobs=list(jobs))

    def job(name: str, ago: float, outcome: str = "SUCCEEDED", failed: int = 0) -> PlannedJob:
        counts = {"added": 1, "scanned": 100, "failed": failed}
        return PlannedJob(make_id(case, name, ago), now - ago, 30, 30, outcome, counts)

    return [
        source("calm", job("calm", HOUR)),
        source("failing", *(job("failing", hours * HOUR, "FAILED") for hours in range(1, 5))),
        source("incomplete", job("incomplete", HOUR / 2, "INCOMPLETE", failed=20)),
        source("inactive", job("inactive", HOUR), status="FAILED"),
    ]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Prometheus]:
    """Yield a Prometheus with all durations divided that scrapes one exporter for both services."""
    with ExitStack() as stack:
        sts = stack.enter_context(SimulatedEndpoint(Fleet()))
        targets = [
            {"service": str(case), "region": "us-east-1", "endpoint_url": endpoint.url, "discovery": {}}
            for case in OTHERS
            for endpoint in [stack.enter_context(SimulatedEndpoint(fleet_of(case), make_api=case.make_api))]
        ]
        polling = {"interval": "1s", "idle_interval": "1s"}
        settings: dict[str, Any] = {"targets": targets, "polling": polling, "state": {"path": ":memory:"}}
        program = stack.enter_context(serve(tmp_path, settings, AWS_ENDPOINT_URL_STS=sts.url))
        program.until_ready()
        config = scrape_config("{}:{}".format(*program.address), interval=INTERVAL)
        config["global"]["evaluation_interval"] = INTERVAL
        config["rule_files"] = [str(write_scaled(file, tmp_path)) for file in RULE_FILES]
        yield stack.enter_context(prometheus(tmp_path, config, f"--query.lookback-delta={scale_duration('5m')}"))


def firing(server: Prometheus) -> set[tuple[str, str]]:
    """Return the alerts that fire, each with the data source, the index or the knowledge base that it is about."""
    found = (alert["labels"] for alert in server.get("alerts")["alerts"] if alert["state"] == "firing")
    names = ("data_source", "index", "knowledge_base")
    return {(labels["alertname"], next((labels[name] for name in names if name in labels), "")) for labels in found}


@pytest.mark.trial  # the alerts wait for durations that are shortened, but add up to 40 seconds of real time
@pytest.mark.timeout(300)
def test_the_rules_of_each_service_fire_for_what_is_broken(server: Prometheus) -> None:
    """A failure has the alert of its service. What is healthy or in maintenance has none."""
    expected = {(case.service.alert(kind), about) for case in OTHERS for kind, about in FAILURES}
    eventually(lambda: firing(server) >= expected, TIMEOUT)
    assert not {alert for alert in firing(server) if alert[1] in HEALTHY}
