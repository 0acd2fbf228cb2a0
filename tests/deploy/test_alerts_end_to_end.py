"""What goes wrong reaches who is on call: real exporters, Prometheus with our rules, Alertmanager with our example."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import yaml
from promql_parser import parse_duration

from exporter.simulator.fleet import make_id
from tests.support.alert_rules import PROMETHEUS, RULE_FILES, RUNBOOKS, alerts, queries
from tests.support.alertmanager_server import Receiver, alertmanager
from tests.support.broken_account import STUCK_AT, USUAL, BrokenAccount
from tests.support.harness import eventually
from tests.support.prometheus_server import prometheus, scraping
from tests.support.replicas import Replicas
from tests.support.time_scaling import SPEEDUP, scale, scale_duration, write_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.prometheus_server import Prometheus

EVERY = "500ms"
PATIENCE = 90.0
DOWN_AFTER = parse_duration("5m").total_seconds() / SPEEDUP

# What each failure leads to: the alert, and the value of the label that says whom it is about.
OF_DATA_SOURCES = {
    ("QBusinessSyncFailed", "failed"),
    ("QBusinessSyncFailingRepeatedly", "failing"),
    ("QBusinessNoSuccessfulSync", "old"),
    ("QBusinessOnlyIncompleteSyncs", "partial"),
    ("QBusinessSyncIncomplete", "incomplete"),
    ("QBusinessSyncOverdue", "overdue"),
    ("QBusinessNeverSynced", "never"),
    ("QBusinessSyncRunningTooLong", "long"),
    ("QBusinessSyncStuck", "stuck"),
    ("QBusinessSyncSlowerThanUsual", "slow"),
    ("QBusinessSyncScannedNothing", "empty"),
    ("QBusinessDocumentsDropped", "dropped"),
    ("QBusinessDocumentsDeletedInBulk", "purged"),
    ("QBusinessDataSourceNotActive", "inactive"),
    ("QBusinessScheduleNotUnderstood", "unscheduled"),
    ("QBusinessDataStale", "unreadable"),
}
OF_ALL_ELSE = {
    ("QBusinessIndexNotActive", "rebuilding"),
    ("QBusinessIndexDocumentsNearLimit", "full"),
    ("QBusinessIndexTextNearLimit", "wordy"),
    ("QBusinessTargetDown", "denied"),
    ("QBusinessReplicaCutOff", "half_reachable"),
    ("QBusinessThrottled", "busy"),
    ("QBusinessPollsLate", "sluggish"),
    ("QBusinessDiscoveryFailing", "sluggish"),
    ("QBusinessStateNotWritten", "qbusiness"),
    ("QBusinessConfigReloadFailed", "qbusiness"),
}
ILLS = OF_DATA_SOURCES | OF_ALL_ELSE
GONE_B, GONE_A, GONE = (("QBusinessExporterDown", "b"), ("QBusinessExporterDown", "a"), ("QBusinessExporterAbsent", ""))

# Let in again before all else is over: the longer polls fail, the longer it takes until the next.
SHUT_OUT = {
    ("QBusinessDataStale", "unreadable"),
    ("QBusinessTargetDown", "denied"),
    ("QBusinessReplicaCutOff", "half_reachable"),
}
# The graver alert inhibits it, but does not come before it: so it may be told first.
MAY_BE_FIRST = {("QBusinessSyncRunningTooLong", "stuck")}


def test_every_alert_is_seen_end_to_end() -> None:
    """None is left out."""
    assert {alert for alert, _ in ILLS | {GONE_A, GONE}} == {alert.name for alert in alerts()}


@pytest.mark.timeout(300)
def test_every_failure_reaches_who_is_on_call_and_clears_when_it_is_over(tmp_path: Path) -> None:
    """Each is told once, to the right person, whatever is restarted meanwhile; nothing else is; and it ends."""
    with (
        BrokenAccount() as account,
        Replicas(tmp_path, account.config) as replicas,
        Receiver() as receiver,
        told_by(tmp_path, replicas, receiver) as server,
    ):
        account.inject_faults()
        eventually(lambda: len(told(receiver)) > 5, PATIENCE)
        slow = {GONE_A} if replicas.a.restart(signal.SIGTERM) > DOWN_AFTER - 1 else set()
        slow |= {GONE_B} if replicas.b.restart(signal.SIGKILL) > DOWN_AFTER - 1 else set()
        replicas.a.break_down()
        account.deny_one_replica()
        eventually(lambda: told(receiver).keys() >= SHUT_OUT, PATIENCE)
        assert_runbooks_are_answered(server, {alert for alert, _ in SHUT_OUT})
        account.end_denials()
        eventually(lambda: told(receiver).keys() >= ILLS, PATIENCE)
        assert told(receiver).keys() <= ILLS | MAY_BE_FIRST | slow
        assert_right_person_is_told(receiver)
        assert_runbooks_are_answered(server, {alert for alert, _ in ILLS - SHUT_OUT})

        replicas.b.program.kill()
        account.repair()
        replicas.a.recover()
        eventually(lambda: told(receiver).keys() >= {GONE_B}, PATIENCE)
        eventually(lambda: over(receiver) >= ILLS, PATIENCE)
        replicas.a.program.kill()
        eventually(lambda: told(receiver).keys() >= {GONE_A, GONE}, PATIENCE)
        replicas.a.program.start()
        eventually(lambda: over(receiver) >= {GONE_A, GONE}, PATIENCE)
        eventually(lambda: firing(server) == {GONE_B}, PATIENCE)

        assert told(receiver).keys() <= ILLS | MAY_BE_FIRST | {GONE_A, GONE_B, GONE}
        flapped = {alert for alert, course in told(receiver).items() if len(course) > 2} - slow
        assert not flapped


def description(labels: Mapping[str, str]) -> tuple[str, str]:
    """Give an alert, and whom it is about."""
    names = ("data_source", "index", "target", "instance", "job")
    return labels["alertname"], next((labels[name] for name in names if name in labels), "")


def told(receiver: Receiver) -> dict[tuple[str, str], list[str]]:
    """Give the course of each alert that was told of; the end of one that was inhibited is told of too, and no news."""
    courses = {description(dict(labels)): course for labels, course in receiver.status_changes().items()}
    return {alert: course for alert, course in courses.items() if "firing" in course}


def over(receiver: Receiver) -> set[tuple[str, str]]:
    """Give the alerts that were last said to be over."""
    return {alert for alert, course in told(receiver).items() if course[-1] == "resolved"}


def firing(server: Prometheus) -> set[tuple[str, str]]:
    """Give the alerts that fire now."""
    return {description(alert["labels"]) for alert in server.get("alerts")["alerts"] if alert["state"] == "firing"}


def assert_right_person_is_told(receiver: Receiver) -> None:
    """See that the severity decides who is told, and that what is said has a runbook and no hole."""
    who = {"critical": "pager", "warning": "chat", "info": "null"}
    for one in list(receiver.notifications):
        assert one.receiver == who[one.labels["severity"]]
        assert one.annotations["runbook_url"].endswith(f"/{one.labels['alertname']}.md")
        assert "<no value>" not in str(one.annotations)


def assert_runbooks_are_answered(server: Prometheus, names: set[str]) -> None:
    """See that these alerts fire, and that each query of their runbooks finds something to show."""
    labels = [alert["labels"] for alert in server.get("alerts")["alerts"] if alert["state"] == "firing"]
    concerned = [each for each in labels if each["alertname"] in names]
    assert {each["alertname"] for each in concerned} == names
    asked = [query for each in concerned for query in filled_in(each)]
    assert [query for query in asked if not server.get("query", query=query)["result"]] == []


def filled_in(labels: Mapping[str, str]) -> list[str]:
    """Give the queries of an alert's runbook, with the alert's labels in the place of the words in capitals."""
    written = queries(RUNBOOKS / f"{labels['alertname']}.md")
    return [re.sub(r'"([A-Z_]+)"', lambda word: f'"{labels[word[1].lower()]}"', query) for query in written]


@contextmanager
def told_by(folder: Path, replicas: Replicas, receiver: Receiver) -> Iterator[Prometheus]:
    """Run a Prometheus with the rules, and an Alertmanager that tells the receiver, all in haste."""
    config = scraping(interval=EVERY)
    config["global"]["evaluation_interval"] = EVERY
    config["scrape_configs"][0]["static_configs"] = replicas.targets()
    config["rule_files"] = [str(write_scaled(file, folder)) for file in RULE_FILES]
    routes = yaml.safe_load(scale((PROMETHEUS / "alertmanager.example.yml").read_text()))
    with alertmanager(folder, routes, receiver) as address:
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [address]}]}]}
        remember(folder, time.time())
        with prometheus(folder, config, f"--query.lookback-delta={scale_duration('5m')}") as server:
            yield server


def remember(folder: Path, now: float) -> None:
    """Give Prometheus a past: what two data sources were like in the hours, shortened, before it began."""
    past = {
        "data_source:qbusiness_last_completed_sync_documents_scanned:indexed": ("dropped", USUAL, "26h"),
        "data_source:qbusiness_running_sync_documents:sum": ("stuck", STUCK_AT, "7h"),
    }
    lines = []
    for name, (source, value, since) in past.items():
        labels = f'application="intranet",data_source="{source}",data_source_id="{make_id("data source", source)}"'
        seconds = int(parse_duration(since).total_seconds() / SPEEDUP)
        lines += [f"# TYPE {name} gauge", *(f"{name}{{{labels}}} {value} {now - ago}" for ago in range(seconds, 0, -1))]
    text = folder / "past.txt"
    text.write_text("\n".join([*lines, "# EOF", ""]))
    create = ("promtool", "tsdb", "create-blocks-from", "openmetrics", text, folder / "data")
    subprocess.run(create, check=True, capture_output=True)
