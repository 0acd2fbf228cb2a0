"""The templates of the rules."""

from __future__ import annotations

import re

import yaml

from exporter.providers.qbusiness.service import QBUSINESS
from exporter.rules.options import RuleOptions
from exporter.rules.renderer import RuleRenderer, alert_names
from tests.support.alert_rules import ROOT


def test_the_names_of_alerts_are_those_in_the_rules() -> None:
    """--disable and the link to the runbook use them."""
    groups = yaml.safe_load(RuleRenderer(RuleOptions()).document())["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert tuple(sorted(rule["alert"] for rule in rules)) == alert_names()
    assert all(rule["annotations"]["runbook_url"].endswith(f"/{rule['alert']}") for rule in rules)


def test_a_threshold_replaces_the_default_of_its_alert_alone() -> None:
    """The chart sets thresholds by the name of the alert."""

    def lines(options: RuleOptions) -> set[str]:
        return set(RuleRenderer(options).document().splitlines())

    changed = lines(RuleOptions(thresholds={"QBusinessIndexTextNearLimit": 0.75})) - lines(RuleOptions())
    assert [line.strip() for line in changed] == ["expr: index:qbusiness_index_text_bytes:ratio > 0.75"]


def test_each_default_threshold_is_in_the_alert() -> None:
    """A renderer knows the defaults of the alerts that it has rendered."""
    renderer = RuleRenderer(RuleOptions())
    groups = yaml.safe_load(renderer.document())["groups"]
    expressions = {rule.get("alert"): rule["expr"] for group in groups for rule in group["rules"]}
    assert renderer.default_thresholds["QBusinessIndexTextNearLimit"] == 0.9
    assert all(f" {value}" in expressions[name] for name, value in renderer.default_thresholds.items())


def test_alerts_with_a_threshold_are_documented() -> None:
    """docs/alerts.md lists the alerts whose threshold the chart can set."""
    renderer = RuleRenderer(RuleOptions((QBUSINESS,)))
    renderer.document()
    _, _, text = (ROOT / "docs" / "alerts.md").read_text().partition("`prometheusRule.overrides.ALERT.threshold` ")
    listed = set(re.findall(r"QBusiness\w+", text.partition("\n\n")[0]))
    assert listed == renderer.default_thresholds.keys()
