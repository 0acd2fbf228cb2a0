"""The alerts: their unit tests, their metrics and labels, their texts, and the example configurations."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from promql_parser import MatrixSelector, parse_duration

from exporter.rules.options import STATUS_PAGE
from tests.support.alert_rules import (
    PROMETHEUS,
    PROMETHEUS_LABELS,
    ROOT,
    RULE_FILES,
    SERIES_PREFIXES,
    UNIT_TESTS,
    alerts,
    declared,
    grouped_by,
    hand_tested_alerts,
    nodes,
    parse,
    rules,
    selected,
    unit_tests,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.alert_rules import Rule

ALERTMANAGER = PROMETHEUS / "alertmanager.example.yml"
PAGE = ROOT / "docs" / "alerts.md"
ALERTS = alerts()
HAND_TESTED = hand_tested_alerts()
# The first is about one replica, and the second looks back further only while it fires. The others compare the current
# number with the day before.
LOOKING_BACK = ("ExporterDown", "Throttled", "DataSourcesLost", "Shrank")
RULES = rules()
INSTRUCTIONS = (
    "Add ",
    "Before a restart, check ",
    "Check ",
    "Compare ",
    "If the deletion was not intended, prevent ",
    "Look up ",
    "Lower ",
    "No action is needed ",
    "Run ",
    "Start ",
    "Stop ",
)


def names(rules: Sequence[Rule]) -> list[str]:
    """Return the ids of test cases."""
    return [rule.name for rule in rules]


def run(*command: str | Path) -> str:
    """Run a program that must succeed; return its output."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def promtool_cases() -> Iterator[Any]:
    """Yield each unit test; those that last hours or days are trials, because they need seconds."""
    for file in UNIT_TESTS:
        content = yaml.safe_load(file.read_text())
        content["rule_files"] = [str((file.parent / name).resolve()) for name in content["rule_files"]]
        is_long = parse_duration(content["evaluation_interval"]).total_seconds() > 60
        for number, test in enumerate(content["tests"]):
            marks = [pytest.mark.trial] if is_long else []
            yield pytest.param({**content, "tests": [test]}, id=f"{file.stem}-{number}", marks=marks)


@pytest.mark.parametrize("content", list(promtool_cases()))
def test_promtool_accepts_the_unit_tests(content: dict[str, Any], tmp_path: Path) -> None:
    """The engine of Prometheus evaluates the rules step by step."""
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(content))
    assert "SUCCESS" in run("promtool", "test", "rules", file)


def test_fixed_thresholds_are_documented() -> None:
    """The page lists each alert with a fixed threshold, and quotes its rule or a recording rule that it uses."""
    thresholds = re.findall(r"^\| \[(QBusiness\w+)\]\(.*?\) \|.*?\|.*?\| ([^|]*) \|", PAGE.read_text(), re.MULTILINE)
    quotations = re.findall(r"^\| (QBusiness[\w, ]+) \| [^|]+ \| (`.*`) \|$", PAGE.read_text(), re.MULTILINE)
    documented = {name: re.findall(r"`([^`]+)`", words) for names, words in quotations for name in names.split(", ")}
    assert {name for name, numbers in thresholds if re.search(r"[<>]", numbers)} <= documented.keys()
    recording = "".join(rule.expr for rule in RULES if not rule.is_alert)
    rule_of = {alert.name: f"{alert.expr}\nfor: {alert.after}\n{recording}" for alert in ALERTS}
    assert [(name, word) for name, words in documented.items() for word in words if word not in rule_of[name]] == []


def test_every_alert_has_its_reasons() -> None:
    """The page has one row for each alert, which explains its threshold, its severity and its `for`."""
    section = PAGE.read_text().partition("\n## Why these alerts\n")[2].partition("\n## ")[0]
    explained = re.findall(r"^\| (QBusiness\w+) \|[^|]*\| [^|]{20,} \|$", section, re.MULTILINE)
    assert sorted(explained) == sorted(alert.name for alert in HAND_TESTED)


def test_the_backfill_page_runs_the_recording_rules_often_enough() -> None:
    """A recording rule sees the samples of another rule only in the next run of promtool."""
    recorded = {rule.name: rule for rule in RULES if not rule.is_alert}

    def runs(name: str) -> int:
        return 1 + max((runs(used) for used, _ in selected(recorded[name].expr) if used in recorded), default=0)

    times = ("no", "one", "two", "three", "four", "five", "six", "seven")[max(map(runs, recorded))]
    assert f"run it {times} times, " in (ROOT / "docs" / "backfill.md").read_text()


def test_promtool_reports_no_problem() -> None:
    """All findings of its linter are errors, such as duplicate rules."""
    output = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)
    assert output.count("SUCCESS") == len(RULE_FILES)


@pytest.mark.parametrize("rule", RULES, ids=names(RULES))
def test_expressions_are_valid_in_prometheus_3(rule: Rule) -> None:
    """The installed promtool is from Prometheus 2, but the parser implements the grammar and the types of 3."""
    assert parse(rule.expr)


@pytest.mark.parametrize("rule", RULES, ids=names(RULES))
def test_metrics_and_labels_of_rules_exist(rule: Rule) -> None:
    """An alert with a misspelled metric or label never fires, and Prometheus reports no error."""
    for name, labels in selected(rule.expr):
        assert name in declared(), name
        assert labels <= declared()[name] | PROMETHEUS_LABELS, name
    known = set().union(*declared().values()) | PROMETHEUS_LABELS
    assert grouped_by(rule.expr) <= known


@pytest.mark.parametrize("alert", ALERTS, ids=names(ALERTS))
def test_samples_of_a_stopped_replica_cannot_make_an_alert_fire(alert: Rule) -> None:
    """The range of a query over all replicas is shorter than `for`, so it ends before the alert fires."""
    matrices = [node for node in nodes(alert.expr) if isinstance(node, MatrixSelector)]
    windows = [node.range for node in matrices if str(node.vector_selector.name).startswith(SERIES_PREFIXES)]
    uses_the_freshest_replica = any("freshest" in name for name, _ in selected(alert.expr))
    if windows and not uses_the_freshest_replica and not alert.name.endswith(LOOKING_BACK):
        assert max(windows) < parse_duration(alert.after)


@pytest.mark.parametrize("alert", ALERTS, ids=names(ALERTS))
def test_alerts_have_severity_summary_description_and_runbook(alert: Rule) -> None:
    """The summary has names, the description has ids, and the runbook exists.

    An alert about a data source also has the account and the region, and links to the status page and the dashboard.
    """
    assert alert.severity in {"critical", "warning", "info"}
    summary, description = alert.annotations["summary"], alert.annotations["description"]
    assert summary.strip().endswith(".")
    assert description.strip().endswith(".")
    if alert.service:
        assert f"{{{{ $labels.{alert.service.root.word} }}}}" in summary
        assert "_id }}" in description
    if "$labels.data_source" in summary:
        assert grouped_by(alert.expr) >= {"aws_account_id", "aws_region"}
        assert "status_url" in alert.annotations
        assert ("dashboard_url" in alert.annotations) == bool(alert.service)
    assert alert.annotations["runbook_url"] == f"{STATUS_PAGE}/runbooks/{alert.name}"
    assert alert.runbook.exists()


@pytest.mark.parametrize("alert", ALERTS, ids=names(ALERTS))
def test_descriptions_say_what_to_do_first(alert: Rule) -> None:
    """One sentence is an instruction, or says that no action is necessary."""
    sentences = re.split(r"(?<=\.) |{{ end }}", alert.annotations["description"].strip())
    assert any(sentence.startswith(INSTRUCTIONS) for sentence in sentences)


def test_prometheus_and_alertmanager_accept_the_examples() -> None:
    """They are the scrape configuration with the rules, and the routes of Alertmanager."""
    assert "SUCCESS" in run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    assert "SUCCESS" in run("amtool", "check-config", ALERTMANAGER)


def test_the_severity_selects_the_receiver() -> None:
    """In the example, critical alerts go to the pager, warnings to the chat, and info alerts are not sent."""
    command = ("amtool", "config", "routes", "test", "--config.file", ALERTMANAGER)
    for severity, receiver in (("critical", "pager"), ("warning", "chat"), ("info", "null")):
        assert run(*command, f"severity={severity}").strip() == receiver


def test_inhibitions_are_documented() -> None:
    """Each inhibition of the example has a row in the table of the page, and its alerts exist."""
    inhibitions = yaml.safe_load(ALERTMANAGER.read_text())["inhibit_rules"]
    known = {alert.name for alert in ALERTS}
    page = PAGE.read_text().partition("\n## Alertmanager\n")[2]
    for inhibition in inhibitions:
        (source,), (target,) = (_alertnames(inhibition[side]) for side in ("source_matchers", "target_matchers"))
        assert {*source, *target} <= known
        assert f"| {', '.join(source)} | {', '.join(target)} |" in page
    assert page.count("\n| QBusiness") == len(inhibitions)


def _alertnames(matchers: list[str]) -> list[list[str]]:
    """Return the names of the default service's alerts that each matcher matches."""
    kinds = [re.findall(r"[A-Z]\w+", matcher) for matcher in matchers]
    return [[f"QBusiness{kind.removeprefix('QBusiness')}" for kind in found] for found in kinds]


@pytest.mark.parametrize("alert", HAND_TESTED, ids=names(HAND_TESTED))
def test_a_unit_test_shows_each_alert_before_during_and_after(alert: Rule) -> None:
    """A unit test expects no alert, one step later the alert with its texts, and later no alert again."""
    for step, expected in unit_tests(alert.name):
        for number, ((before, earlier), (fires, firing)) in enumerate(pairwise(expected)):
            resolves = any(not later for _, later in expected[number + 2 :])
            if firing and not earlier and resolves and fires - before == step:
                (only,) = firing
                assert only["exp_labels"]["severity"] == alert.severity
                assert set(only["exp_annotations"]) == set(alert.annotations)
                assert "<no value>" not in str(only)
                return
    pytest.fail(f"no unit test in tests/rules/ where {alert.name} fires, not one step earlier, and resolves")
