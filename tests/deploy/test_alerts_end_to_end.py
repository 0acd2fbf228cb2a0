"""Alerts end to end: failures of a simulated account reach a receiver through the real programs.

Two exporters, Prometheus with the rules of deploy/, and Alertmanager with the example configuration.
"""

from __future__ import annotations

import re
import signal
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
import yaml
from promql_parser import parse_duration

from tests.support.alert_history import write_history
from tests.support.alert_rules import PROMETHEUS, RULE_FILES, RUNBOOKS, hand_tested_alerts, queries
from tests.support.alertmanager_server import Receiver, alertmanager
from tests.support.broken_account import BrokenAccount
from tests.support.harness import eventually
from tests.support.prometheus_server import prometheus, scrape_config
from tests.support.provider_rig import CASES
from tests.support.replicas import Replicas
from tests.support.time_scaling import SPEEDUP, scale, scale_duration, write_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.prometheus_server import Prometheus
    from tests.support.replicas import ReplicaProgram

INTERVAL = "500ms"
TARGET_UP = "qbusiness_exporter_target_up"
TIMEOUT = 120.0  # seconds
DOWN_AFTER = parse_duration("5m").total_seconds() / SPEEDUP

# The alerts that the injected failures cause, each with the value of the label that identifies its subject.
OF_DATA_SOURCES = {
    ("QBusinessSyncFailed", "failed"),
    ("QBusinessSyncFailingRepeatedly", "failing"),
    ("QBusinessNoSuccessfulSync", "old"),
    ("QBusinessOnlyIncompleteSyncs", "partial"),
    ("QBusinessSyncIncomplete", "incomplete"),
    ("QBusinessSyncOverdue", "overdue"),
    ("QBusinessNoRecentSync", "stopped"),
    ("QBusinessNeverSynced", "never"),
    ("QBusinessSyncRunningTooLong", "long"),
    ("QBusinessSyncStuck", "stuck"),
    ("QBusinessSyncSlowerThanUsual", "slow"),
    ("QBusinessSyncScannedNothing", "empty"),
    ("QBusinessSyncsWithoutContent", "aborted"),
    ("QBusinessFirstSyncAddedNothing", "unproductive"),
    ("QBusinessDocumentsDropped", "dropped"),
    ("QBusinessDocumentsDeletedInBulk", "purged"),
    ("QBusinessDocumentsStayFailed", "rejected"),
    ("QBusinessDataSourceNotActive", "inactive"),
    ("QBusinessScheduleNotUnderstood", "unscheduled"),
    ("QBusinessDataStale", "unreadable"),
}
OTHERS = {
    ("QBusinessIndexNotActive", "rebuilding"),
    ("QBusinessIndexBelowMinimum", "sparse"),
    ("QBusinessIndexShrank", "emptied"),
    ("QBusinessIndexDocumentsNearLimit", "full"),
    ("QBusinessIndexTextNearLimit", "wordy"),
    ("QBusinessTargetDown", "denied"),
    ("QBusinessTargetDown", "keyless"),
    ("QBusinessReplicaCutOff", "half_reachable"),
    ("QBusinessThrottled", "busy"),
    ("QBusinessPollsLate", "sluggish"),
    ("QBusinessDiscoveryFailing", "sluggish"),
    ("QBusinessEventsDown", "production"),
    ("QBusinessNoDataSources", "vacant"),
    ("QBusinessDataSourcesLost", "shrunk"),
    ("QBusinessStateNotWritten", "qbusiness"),
    ("QBusinessLogLinesDropped", "qbusiness"),
    ("QBusinessConfigReloadFailed", "qbusiness"),
}
FAILURES = OF_DATA_SOURCES | OTHERS
DOWN_A, DOWN_B = ("QBusinessExporterDown", "a"), ("QBusinessExporterDown", "b")
ABSENT = ("QBusinessExporterAbsent", "")

# The test ends these failures before the others: the longer requests fail, the longer the back-off until the next one.
DENIALS = {
    ("QBusinessDataStale", "unreadable"),
    ("QBusinessTargetDown", "denied"),
    ("QBusinessTargetDown", "keyless"),
    ("QBusinessReplicaCutOff", "half_reachable"),
    ("QBusinessEventsDown", "production"),
}
DENIED_TARGETS = {about for alert, about in DENIALS if alert == "QBusinessTargetDown"}
# QBusinessSyncStuck inhibits the first of these alerts, but may fire after it. Then this one is sent first. The others
# fire if one replica retries sooner than the other after the denials have ended: retries are not accelerated.
POSSIBLE = {
    ("QBusinessSyncRunningTooLong", "stuck"),
    *(("QBusinessReplicaCutOff", target) for target in DENIED_TARGETS),
}
# With a state file, a replica owns all of its targets.
ABOUT_A_DATABASE = {"QBusinessTargetNotPolled"}


def test_every_alert_is_tested() -> None:
    """The failures of this module cause every alert of the rules that does not need a database."""
    caused = {alert for alert, _ in FAILURES | {DOWN_A, ABSENT}}
    assert caused == {alert.name for alert in hand_tested_alerts()} - ABOUT_A_DATABASE


@pytest.mark.trial  # the alerts wait for durations that are shortened, but add up to half a minute of real time
@pytest.mark.timeout(400)
def test_every_failure_is_notified_once_and_resolved(tmp_path: Path) -> None:
    """Each failure reaches the receiver of its severity once, even across restarts, and resolves when it ends."""
    with (
        BrokenAccount() as account,
        Replicas(tmp_path, account.config) as replicas,
        Receiver() as receiver,
        monitoring(tmp_path, replicas, receiver) as server,
    ):
        account.inject_faults()
        eventually(lambda: len(notified(receiver)) > 5, TIMEOUT)
        # On a slow machine, a restart may take so long that it is an outage.
        outages = {DOWN_A} if replicas.a.restart(signal.SIGTERM) > DOWN_AFTER - 1 else set()
        # As in a rolling update: the second replica restarts once Prometheus has seen the first one again.
        eventually(lambda: server.value('min_over_time(up{instance="a"}[2s])') == 1, TIMEOUT)
        outages |= {DOWN_B} if replicas.b.restart(signal.SIGKILL) > DOWN_AFTER - 1 else set()
        for replica in (replicas.a, replicas.b):
            replica.program.until_ready()  # qbusiness_poll_success is absent until the first poll
        replicas.a.break_down()
        account.deny_one_replica()
        eventually(lambda: notified(receiver).keys() >= DENIALS, TIMEOUT)
        assert_runbook_queries_return_data(server, DENIALS)
        account.end_denials()
        eventually(lambda: notified(receiver).keys() >= FAILURES, TIMEOUT)
        assert notified(receiver).keys() <= FAILURES | POSSIBLE | outages
        assert_receivers_match_severities(receiver)
        assert_runbook_queries_return_data(server, FAILURES - DENIALS)

        # Otherwise the targets may be down again, because the replica that is left still waits for its next retry.
        eventually(lambda: targets_up(replicas.a) >= DENIED_TARGETS, TIMEOUT)
        replicas.b.program.kill()
        account.repair()
        replicas.a.recover()
        eventually(lambda: notified(receiver).keys() >= {DOWN_B}, TIMEOUT)
        eventually(lambda: resolved(receiver) >= FAILURES, TIMEOUT)
        replicas.a.program.kill()
        eventually(lambda: notified(receiver).keys() >= {DOWN_A, ABSENT}, TIMEOUT)
        replicas.a.program.start()
        eventually(lambda: resolved(receiver) >= {DOWN_A, ABSENT}, TIMEOUT)
        eventually(lambda: firing(server) == {DOWN_B}, TIMEOUT)

        assert notified(receiver).keys() <= FAILURES | POSSIBLE | {DOWN_A, DOWN_B, ABSENT}
        flapped = {alert for alert, statuses in notified(receiver).items() if len(statuses) > 2} - outages
        assert not flapped


def targets_up(replica: ReplicaProgram) -> set[str]:
    """Return the targets that a replica reaches."""
    samples = replica.program.scrape().samples.items()
    return {dict(labels)["target"] for (name, labels), value in samples if name == TARGET_UP and value == 1}


def identify(labels: Mapping[str, str]) -> tuple[str, str]:
    """Return the name of an alert and of its subject."""
    names = ("data_source", "index", "target", "instance", "job")
    return labels["alertname"], next((labels[name] for name in names if name in labels), "")


def notified(receiver: Receiver) -> dict[tuple[str, str], list[str]]:
    """Return the statuses of each alert that was notified as firing.

    Alertmanager also notifies that an inhibited alert has resolved. Such notifications are left out.
    """
    changes = {identify(dict(labels)): statuses for labels, statuses in receiver.status_changes().items()}
    return {alert: statuses for alert, statuses in changes.items() if "firing" in statuses}


def resolved(receiver: Receiver) -> set[tuple[str, str]]:
    """Return the alerts whose last notification was that they have resolved."""
    return {alert for alert, statuses in notified(receiver).items() if statuses[-1] == "resolved"}


def firing_labels(server: Prometheus) -> list[dict[str, str]]:
    """Return the labels of the alerts that fire now."""
    return [alert["labels"] for alert in server.get("alerts")["alerts"] if alert["state"] == "firing"]


def firing(server: Prometheus) -> set[tuple[str, str]]:
    """Return the alerts that fire now."""
    return {identify(labels) for labels in firing_labels(server)}


def assert_receivers_match_severities(receiver: Receiver) -> None:
    """Assert that each alert was sent to the receiver of its severity, with its links and complete texts."""
    receivers = {"critical": "pager", "warning": "chat", "info": "null"}
    for notification in list(receiver.notifications):
        assert notification.receiver == receivers[notification.labels["severity"]]
        assert notification.annotations["runbook_url"].endswith(f"/runbooks/{notification.labels['alertname']}")
        assert "<no value>" not in str(notification.annotations)
        if "data_source_id" in notification.labels:
            assert notification.annotations["status_url"].endswith(f"={notification.labels['data_source_id']}")
            assert notification.labels["aws_region"]


def assert_runbook_queries_return_data(server: Prometheus, alerts: set[tuple[str, str]]) -> None:
    """Assert that these alerts fire, and that each query of their runbooks returns data, even if a scrape is late."""
    alert_labels = [labels for labels in firing_labels(server) if identify(labels) in alerts]
    assert {labels["alertname"] for labels in alert_labels} == {name for name, _ in alerts}
    for query in (query for labels in alert_labels for query in queries_for(labels)):
        eventually(partial(has_data, server, query))


def has_data(server: Prometheus, query: str) -> bool:
    """Return whether the result of a query is not empty."""
    return bool(server.get("query", query=query)["result"])


def queries_for(labels: Mapping[str, str]) -> list[str]:
    """Return the queries of an alert's runbook, with the labels of the alert instead of the placeholders."""
    written = queries(RUNBOOKS / f"{labels['alertname']}.md")
    return [re.sub(r'"([A-Z_]+)"', lambda word: f'"{labels[word[1].lower()]}"', query) for query in written]


@contextmanager
def monitoring(folder: Path, replicas: Replicas, receiver: Receiver) -> Iterator[Prometheus]:
    """Run Prometheus with the rules, and Alertmanager with the routes, all durations divided."""
    config = scrape_config(interval=INTERVAL)
    config["global"]["evaluation_interval"] = INTERVAL
    config["scrape_configs"][0]["static_configs"] = replicas.targets()
    config["rule_files"] = [str(write_scaled(file, folder)) for file in RULE_FILES]
    routes = yaml.safe_load(scale((PROMETHEUS / "alertmanager.example.yml").read_text()))
    with alertmanager(folder, routes, receiver) as address:
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [address]}]}]}
        write_history(folder, time.time(), CASES[:1])
        with prometheus(folder, config, f"--query.lookback-delta={scale_duration('5m')}") as server:
            yield server
