"""The alert rules and dashboards of the chart."""

from __future__ import annotations

import json
from typing import Any

import yaml

from tests.suites.kubernetes.chart import ALL_VALUES, NAME, ROOT, render


def test_rules_are_those_of_the_rule_files() -> None:
    """They are unchanged by default; values change labels and runbook URLs, and disable alerts."""
    files = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "deploy/prometheus/rules").glob("*.yaml")}

    def rendered(runbooks: str = "", **values: Any) -> dict[str, Any]:
        found = render({"prometheusRule": {"enabled": True, **values}, "runbookUrl": runbooks})
        return {m["metadata"]["name"]: m["spec"] for m in found if m["kind"] == "PrometheusRule"}

    assert rendered() == {f"{NAME}-{stem}": content for stem, content in files.items()}
    wiki = "https://wiki.example.com/qbusiness/"
    changed = rendered(wiki, ruleLabels={"severity": "page"}, disabledAlerts=["QBusinessSyncFailed"])
    rules = [rule for spec in changed.values() for group in spec["groups"] for rule in group["rules"]]
    alerts = {rule["alert"]: rule["labels"] for rule in rules if "alert" in rule}
    all_alerts = {
        rule["alert"] for file in files.values() for g in file["groups"] for rule in g["rules"] if "alert" in rule
    }
    assert set(alerts) == all_alerts - {"QBusinessSyncFailed"}
    assert {labels["severity"] for labels in alerts.values()} == {"page"}
    runbooks = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules if "alert" in rule}
    assert runbooks == {name: f"{wiki}{name}" for name in alerts}


def test_alerts_link_to_the_configured_urls() -> None:
    """Links to the status page and to the dashboard of a data source have the URLs of the values."""
    specs = [m["spec"] for m in render(ALL_VALUES) if m["kind"] == "PrometheusRule"]
    rules = [rule for spec in specs for group in spec["groups"] for rule in group["rules"] if "alert" in rule]
    texts = [rule["annotations"] for rule in rules if "status_url" in rule["annotations"]]
    source, urls = "{{ $labels.data_source_id }}", ALL_VALUES["dashboards"]
    assert {text["status_url"] for text in texts} == {f"{urls['exporterUrl']}/?data_source_id={source}"}
    dashboard = f"{urls['grafanaUrl']}/d/qbusiness-data-source?var-data_source={source}"
    assert {text["dashboard_url"] for text in texts} == {dashboard}


def test_dashboards_are_those_of_the_dashboard_files() -> None:
    """They are byte-identical, and have the label that Grafana's sidecar selects."""
    files = {path.name: path.read_text().strip() for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")}
    maps = [m for m in render({"dashboards": {"enabled": True}}) if "grafana_dashboard" in m["metadata"]["labels"]]
    assert {name: text.strip() for m in maps for name, text in m["data"].items()} == files
    assert all(m["metadata"]["annotations"] == {"grafana_folder": "Amazon Q Business"} for m in maps)


def test_dashboards_link_to_the_configured_urls() -> None:
    """Links to runbooks and the status page have the URLs of the values, and the dashboards are still JSON."""
    maps = [m for m in render(ALL_VALUES) if "grafana_dashboard" in m["metadata"]["labels"]]
    texts = [text for m in maps for text in m["data"].values()]
    assert not [text for text in texts if "localhost" in text or "github.com" in text]
    for dashboard in map(json.loads, texts):
        (exporter_url,) = [
            variable for variable in dashboard["templating"]["list"] if variable["name"] == "exporter_url"
        ]
        assert exporter_url["query"] == ALL_VALUES["dashboards"]["exporterUrl"]
        assert ALL_VALUES["runbookUrl"] in [link["url"] for link in dashboard["links"]]
    assert f"{ALL_VALUES['runbookUrl']}${{__value.raw}}" in "".join(texts)
