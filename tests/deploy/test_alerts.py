"""Every alert has been seen to fire, not one step before, and to clear; and says what a person needs at 3 am."""

from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from promql_parser import MatrixSelector, parse_duration

from tests.support.alert_rules import (
    PROMETHEUS,
    PROMETHEUS_LABELS,
    ROOT,
    RULE_FILES,
    RUNBOOK_URL,
    UNIT_TESTS,
    alerts,
    declared,
    grouped_by,
    nodes,
    parse,
    rules,
    selected,
    unit_tests,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.alert_rules import Rule

ALERTMANAGER = PROMETHEUS / "alertmanager.example.yml"
PAGE = ROOT / "docs" / "alerts.md"
ALERTS = alerts()
RULES = rules()


def names(chosen: Any) -> list[str]:
    """Give what the cases of a test are called."""
    return [getattr(item, "name", str(item)) for item in chosen]


def run(*command: str | Path) -> str:
    """Run a tool, which must be content; give what it says."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: str(file.stem))
def test_rules_do_what_their_unit_tests_say(file: Path) -> None:
    """A real Prometheus's engine evaluates them, step by step."""
    assert "SUCCESS" in run("promtool", "test", "rules", file)


def test_figures_that_are_no_objective_are_explained() -> None:
    """Each alert that is held to one is on the page, with words that are found in its rule or in one that feeds it."""
    held_to = re.findall(r"^\| \[(QBusiness\w+)\]\(.*?\) \|.*?\|.*?\| ([^|]*) \|", PAGE.read_text(), re.MULTILINE)
    rows = re.findall(r"^\| (QBusiness[\w, ]+) \| [^|]+ \| (`.*`) \|$", PAGE.read_text(), re.MULTILINE)
    explained = {name: re.findall(r"`([^`]+)`", words) for names, words in rows for name in names.split(", ")}
    assert {name for name, figures in held_to if re.search(r"[<>]", figures)} <= explained.keys()
    feeding = "".join(rule.expr for rule in RULES if not rule.is_alert)
    rule_of = {alert.name: f"{alert.expr}\nfor: {alert.after}\n{feeding}" for alert in ALERTS}
    assert [(name, word) for name, words in explained.items() for word in words if word not in rule_of[name]] == []


def test_a_past_of_the_rules_is_made_as_often_as_they_feed_each_other() -> None:
    """What promtool makes of a recording rule, the next one sees only when it is run again."""
    recorded = {rule.name: rule for rule in RULES if not rule.is_alert}

    def runs(name: str) -> int:
        return 1 + max((runs(fed) for fed, _ in selected(recorded[name].expr) if fed in recorded), default=0)

    times = ("no", "one", "two", "three", "four", "five")[max(map(runs, recorded))]
    assert f"run it {times} times, " in (ROOT / "docs" / "backfill.md").read_text()


def test_promtool_finds_nothing_to_complain_of() -> None:
    """Duplicates and whatever else its linter knows are errors."""
    said = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)
    assert said.count("SUCCESS") == len(RULE_FILES)


@pytest.mark.parametrize("rule", RULES, ids=names(RULES))
def test_prometheus_3_takes_every_expression(rule: Rule) -> None:
    """Promtool is Prometheus 2's; this parser speaks the grammar of 3, and checks types."""
    assert parse(rule.expr)


@pytest.mark.parametrize("rule", RULES, ids=names(RULES))
def test_what_a_rule_looks_at_exists(rule: Rule) -> None:
    """A metric or label that is misspelt would never fire, and never say so."""
    for name, labels in selected(rule.expr):
        assert name in declared(), name
        assert labels <= declared()[name] | PROMETHEUS_LABELS, name
    known = set().union(*declared().values()) | PROMETHEUS_LABELS
    assert grouped_by(rule.expr) <= known


@pytest.mark.parametrize("alert", ALERTS, ids=names(ALERTS))
def test_last_words_of_a_replica_that_is_gone_do_not_outlast_the_wait(alert: Rule) -> None:
    """Where all replicas are looked at, what one of them said last is out of the window before the alert may fire."""
    matrices = [node for node in nodes(alert.expr) if isinstance(node, MatrixSelector)]
    windows = [node.range for node in matrices if str(node.vector_selector.name).startswith("qbusiness_")]
    looks_at_the_freshest = any("freshest" in name for name, _ in selected(alert.expr))
    if windows and not looks_at_the_freshest and alert.name != "QBusinessExporterDown":  # which is about one replica
        assert max(windows) < parse_duration(alert.after)


@pytest.mark.parametrize("alert", ALERTS, ids=names(ALERTS))
def test_alert_says_how_bad_it_is_what_it_is_and_where_to_read_on(alert: Rule) -> None:
    """A severity, a sentence with names that a person knows, and a runbook that is there."""
    assert alert.severity in {"critical", "warning", "info"}
    summary, description = alert.annotations["summary"], alert.annotations["description"]
    assert summary.strip().endswith(".")
    assert description.strip().endswith(".")
    if "application" in grouped_by(alert.expr):
        assert "{{ $labels.application }}/{{ $labels." in summary
        assert "_id }}" in description
    assert alert.annotations["runbook_url"] == f"{RUNBOOK_URL}{alert.name}.md"
    assert alert.runbook.exists()


def test_the_examples_are_ones_that_prometheus_and_alertmanager_take() -> None:
    """The scrape, the rules beside it, and where alerts go."""
    assert "SUCCESS" in run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    assert "SUCCESS" in run("amtool", "check-config", ALERTMANAGER)


def test_critical_alerts_go_to_the_pager_and_those_for_lookers_nowhere() -> None:
    """As the page says of the example."""
    ask = ("amtool", "config", "routes", "test", "--config.file", ALERTMANAGER)
    for severity, receiver in (("critical", "pager"), ("warning", "chat"), ("info", "null")):
        assert run(*ask, f"severity={severity}").strip() == receiver


def test_what_inhibits_what_exists_and_is_on_the_page() -> None:
    """A row of the table for each rule of the example."""
    inhibitions = yaml.safe_load(ALERTMANAGER.read_text())["inhibit_rules"]
    known = {alert.name for alert in ALERTS}
    page = PAGE.read_text().partition("\n## Alertmanager\n")[2]
    for inhibition in inhibitions:
        (source,), (target,) = (_alertnames(inhibition[side]) for side in ("source_matchers", "target_matchers"))
        assert {*source, *target} <= known
        assert f"| {', '.join(source)} | {', '.join(target)} |" in page
    assert page.count("\n| QBusiness") == len(inhibitions)


def _alertnames(matchers: list[str]) -> list[list[str]]:
    return [re.findall(r"QBusiness\w+", matcher) for matcher in matchers]


@pytest.mark.parametrize("alert", ALERTS, ids=names(ALERTS))
def test_alert_has_been_seen_to_fire_not_a_step_before_and_to_clear(alert: Rule) -> None:
    """One unit test at least expects nothing, one step later the alert as it will read, and nothing again."""
    for step, expected in unit_tests(alert.name):
        for number, ((before, nothing), (fires, firing)) in enumerate(pairwise(expected)):
            clears = any(not later for _, later in expected[number + 2 :])
            if firing and not nothing and clears and fires - before == step:
                (one,) = firing
                assert one["exp_labels"]["severity"] == alert.severity
                assert set(one["exp_annotations"]) == {"summary", "description", "runbook_url"}
                assert "<no value>" not in str(one)
                return
    pytest.fail(f"no test in tests/rules/ sees {alert.name} fire, not a step before, and clear")
