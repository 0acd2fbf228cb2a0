"""Alerts of Kendra and Bedrock end to end: one exporter watches both, and a real Prometheus evaluates their rules.

test_alerts_end_to_end.py causes the alerts of Amazon Q Business, and sends them to receivers. This module causes the
alerts of the other services, for the same data sources and indexes.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain.service import Use
from exporter.domain.units import MINUTE
from exporter.providers.registry import DEFAULT_SERVICE
from exporter.simulator.apis import traits_of
from exporter.simulator.fleet import Fleet
from exporter.simulator.server import SimulatedEndpoint
from tests.support.alert_history import write_history
from tests.support.alert_rules import RULE_FILES, alerts
from tests.support.broken_account import OBJECTIVES, job, production
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
OTHERS = [case for case in CASES if case.service is not DEFAULT_SERVICE]
FAILURES = {
    "SyncFailed": "failed",
    "SyncFailingRepeatedly": "failing",
    "NoSuccessfulSync": "old",
    "OnlyIncompleteSyncs": "partial",
    "SyncIncomplete": "incomplete",
    "SyncOverdue": "overdue",
    "NoRecentSync": "stopped",
    "NeverSynced": "never",
    "SyncRunningTooLong": "long",
    "SyncStuck": "stuck",
    "SyncSlowerThanUsual": "slow",
    "SyncScannedNothing": "empty",
    "SyncsWithoutContent": "aborted",
    "FirstSyncAddedNothing": "unproductive",
    "DocumentsDropped": "dropped",
    "DocumentsDeletedInBulk": "purged",
    "DocumentsStayFailed": "rejected",
    "DataSourceNotActive": "inactive",
    "ScheduleNotUnderstood": "unscheduled",
    "DataStale": "unreadable",
    "ContainerNotActive": "rebuilding",
    "ContainerBelowMinimum": "sparse",
    "ContainerShrank": "emptied",
    "ContainerDocumentsNearLimit": "full",
    "ContainerTextNearLimit": "wordy",
}
"""The kinds of alerts, each with the data source or container that has its failure."""
HEALTHY = {"healthy", "calm", "main"}


def expected(case: ServiceCase) -> set[tuple[str, str]]:
    """Return the alerts that the rules of a service must fire, each with its subject."""
    found = {alert.name for alert in alerts() if alert.service is case.service}
    return {(name, about) for kind, about in FAILURES.items() if (name := case.service.alert(kind)) in found}


class BrokenService:
    """A simulated service with every failure."""

    def __init__(self, case: ServiceCase) -> None:
        self.case = case
        fleet = production()
        self._sources = {source.name: source for _, _, source in fleet.data_sources()}
        self._indexes = {index.name: index for index in fleet.applications[0].indexes}
        self._adapt_sources()
        self._adapt_indexes()
        self.endpoint = SimulatedEndpoint(fleet, make_api=case.make_api)

    def _adapt_sources(self) -> None:
        """Use types and schedules of the service."""
        is_cron = any(schedule.startswith("cron") for schedule in traits_of(str(self.case)).schedules)
        for source in self._sources.values():
            source.kind = self.case.source_types[0]
            if source.schedule and not is_cron:
                source.schedule = '{"sometimes": {}}' if source.name == "unscheduled" else '{"daily": {}}'

    def _adapt_indexes(self) -> None:
        """Use types, statuses and limits of the service."""
        for index in self._indexes.values():
            index.kind = self.case.index_type
        self._indexes["main"].status = self.case.service.healthy_container_statuses[-1]  # maintenance
        self._indexes["rebuilding"].status = "FAILED"
        if capacity := traits_of(str(self.case)).capacity:
            documents, text_bytes = capacity.limits(self._indexes["full"].units)
            self._indexes["full"].documents = int(0.975 * documents)
            self._indexes["wordy"].text_bytes = int(0.975 * text_bytes)

    def target(self) -> dict[str, object]:
        """Return the configuration of the target."""
        where = {"region": "us-east-1", "endpoint_url": self.endpoint.url}
        return {"service": str(self.case), **where, "discovery": {"interval": "2s"}}

    def inject_faults(self) -> None:
        """Start the failures that must start while the program watches."""
        unreadable = self.case.wire_id(self._sources["unreadable"].id)
        listing = self.case.service.action(Use.SYNC_JOBS)
        self.endpoint.faults.add("server_error", operation=listing, data_source_id=unreadable)
        self._sources["failed"].jobs.append(job("failed", MINUTE, "FAILED", MINUTE + 1))
        self._sources["slow"].jobs += [job(f"slow-{n}", MINUTE, duration=MINUTE + 1) for n in range(5)]
        self._indexes["emptied"].documents = 2000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Prometheus]:
    """Yield a Prometheus with all durations divided that scrapes one exporter for both services."""
    with ExitStack() as stack:
        sts = stack.enter_context(SimulatedEndpoint(Fleet()))
        services = [BrokenService(case) for case in OTHERS]
        for service in services:
            stack.enter_context(service.endpoint)
        settings: dict[str, Any] = {
            "targets": [service.target() for service in services],
            "polling": {"interval": "1s", "idle_interval": "2s", "requests_per_second": 500},
            "objectives": OBJECTIVES,
            "documents": {"interval": "2s"},
            "state": {"path": ":memory:"},
        }
        program = stack.enter_context(serve(tmp_path, settings, AWS_ENDPOINT_URL_STS=sts.url))
        program.until_ready()
        write_history(tmp_path, time.time(), OTHERS)
        config = scrape_config("{}:{}".format(*program.address), interval=INTERVAL)
        config["global"]["evaluation_interval"] = INTERVAL
        config["rule_files"] = [str(write_scaled(file, tmp_path)) for file in RULE_FILES]
        running = stack.enter_context(prometheus(tmp_path, config, f"--query.lookback-delta={scale_duration('5m')}"))
        eventually(lambda: running.value("count(up == 1)") == 1, TIMEOUT)
        for service in services:
            service.inject_faults()
        yield running


def fired(server: Prometheus) -> set[tuple[str, str]]:
    """Return the alerts that fire or have fired, each with its subject."""
    series = server.get("query", query='count_over_time(ALERTS{alertstate="firing"}[10m])')["result"]
    names = ("data_source", "index", "knowledge_base")
    found = [each["metric"] for each in series]
    return {(labels["alertname"], next((labels[name] for name in names if name in labels), "")) for labels in found}


@pytest.mark.parametrize("case", OTHERS, ids=str)
def test_every_alert_of_a_service_is_caused(case: ServiceCase) -> None:
    """The failures of this module cause every alert of the rules."""
    assert {name for name, _ in expected(case)} == {alert.name for alert in alerts() if alert.service is case.service}


@pytest.mark.trial  # the alerts wait for durations that are shortened, but add up to 40 seconds of real time
@pytest.mark.timeout(300)
def test_the_rules_of_each_service_fire_for_what_is_broken(server: Prometheus) -> None:
    """Each failure causes the alert of its service. Healthy resources and those in maintenance cause none."""
    missing = set().union(*map(expected, OTHERS))
    eventually(lambda: not missing - fired(server), TIMEOUT)
    assert not {alert for alert in fired(server) if alert[1] in HEALTHY}
