"""The mixin, evaluated by a jsonnet."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import rjsonnet
import yaml

from tests.support.alert_rules import ROOT, RULE_FILES, SERIES_PREFIXES, nodes, parse

if TYPE_CHECKING:
    from pathlib import Path

MIXIN = ROOT / "deploy" / "mixin" / "mixin.libsonnet"
PLAIN = "{}"


def evaluated(config: str) -> Any:
    """Return the mixin with a configuration, as JSON."""
    code = f"""
      local mixin = (import '{MIXIN}') {{ _config+:: {config} }};
      {{
        rules: mixin.prometheusRules.groups,
        alerts: mixin.prometheusAlerts.groups,
        dashboards: mixin.grafanaDashboards,
      }}
    """
    return json.loads(rjsonnet.evaluate_snippet("test.jsonnet", code))


def rules_of(config: str) -> dict[str, dict[str, Any]]:
    """Return all rules of the mixin with a configuration, by name."""
    mixin = evaluated(config)
    rules = [rule for group in mixin["rules"] + mixin["alerts"] for rule in group["rules"]]
    return {rule.get("alert") or rule["record"]: rule for rule in rules}


def normalized(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a rule with its expression in the form of the parser."""
    return {**rule, "expr": parse(rule["expr"]).prettify()}


def test_without_a_configuration_the_rules_are_those_of_the_rule_files() -> None:
    """The expressions differ in their form only."""
    groups = [group for file in RULE_FILES for group in yaml.safe_load(file.read_text())["groups"]]
    shipped = {rule.get("alert") or rule["record"]: rule for group in groups for rule in group["rules"]}
    mixin = rules_of(PLAIN)
    assert mixin.keys() == shipped.keys()
    assert {name for name in mixin if normalized(mixin[name]) != normalized(shipped[name])} == set()


def test_the_selector_is_in_every_query_of_the_exporter(tmp_path: Path) -> None:
    """Otherwise an alert of one cluster would see the series of another one."""
    rules = rules_of("{ selector: 'cluster=\"a\"' }")
    lacking = []
    for name, rule in rules.items():
        for node in nodes(rule["expr"]):
            series, matchers = getattr(node, "name", None), getattr(node, "matchers", None)
            if matchers and str(series).startswith(SERIES_PREFIXES) and 'cluster="a"' not in str(matchers):
                lacking.append(f"{name}: {series}")
    assert lacking == []
    assert sum(rule["expr"].count('cluster="a"') for rule in rules.values()) > len(rules) / 2
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "mixin", "rules": list(rules.values())}]}))
    subprocess.run(["promtool", "check", "rules", file], check=True, capture_output=True)


def test_thresholds_severities_and_durations_can_be_set() -> None:
    """The other alerts do not change."""
    before = rules_of(PLAIN)
    after = rules_of(
        "{ thresholds+: { QBusinessThrottled: 0.25 }, severities: { QBusinessThrottled: 'info' }, "
        "durations: { QBusinessThrottled: '1h' } }"
    )
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"QBusinessThrottled"}
    rule = after["QBusinessThrottled"]
    assert (rule["labels"]["severity"], rule["for"]) == ("info", "1h")
    assert "0.25" in rule["expr"]


def test_alerts_can_be_left_out_and_get_labels_and_links() -> None:
    """Recording rules stay as they are: other alerts use them."""
    rules = rules_of(
        "{ disabled: ['QBusinessThrottled'], alertLabels: { team: 'search' }, alertAnnotations: { site: 'b' }, "
        "externalUrl: 'https://qb.test', grafanaUrl: 'https://grafana.test' }"
    )
    assert "QBusinessThrottled" not in rules
    alert = rules["QBusinessSyncFailed"]
    assert (alert["labels"]["team"], alert["annotations"]["site"]) == ("search", "b")
    assert alert["annotations"]["runbook_url"] == "https://qb.test/runbooks/QBusinessSyncFailed"
    assert alert["annotations"]["dashboard_url"].startswith("https://grafana.test/d/")


def test_services_can_be_selected() -> None:
    """Rules and dashboards of other services are left out, and the exporter's own stay."""
    mixin = evaluated("{ services: ['bedrock'] }")
    names = {rule["alert"] for group in mixin["alerts"] for rule in group["rules"]}
    assert {"BedrockSyncFailed", "QBusinessTargetDown"} < names
    assert not {name for name in names if name.startswith("Kendra")} | {"QBusinessSyncFailed"} & names
    assert set(mixin["dashboards"]) == {"bedrock-overview.json", "bedrock-data-source.json", "qbusiness-exporter.json"}


def test_a_service_that_does_not_exist_is_an_error() -> None:
    """Its alerts would be missing without notice."""
    with pytest.raises(RuntimeError, match="unknown services in _config: kendro"):
        evaluated("{ services: ['kendro'] }")


@pytest.mark.parametrize(
    "config", ["{ disabled: ['QBusinesThrottled'] }", "{ thresholds+: { QBusinessSyncFailed: 1 } }"]
)
def test_a_name_that_does_not_exist_is_an_error(config: str) -> None:
    """A misspelled alert would otherwise stay enabled, or a threshold would have no effect."""
    with pytest.raises(RuntimeError, match="unknown alerts in _config: QBusines"):
        evaluated(config)


def test_the_dashboards_are_those_of_grafana() -> None:
    """Tags are added."""
    found = evaluated("{ dashboardTags: ['search'] }")["dashboards"]
    for path in (ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"):
        shipped = json.loads(path.read_text())
        assert found[f"{shipped['uid']}.json"] == {**shipped, "tags": [*shipped["tags"], "search"]}
