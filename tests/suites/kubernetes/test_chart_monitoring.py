"""The alert rules and dashboards of the chart."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.providers.registry import SERVICES
from tests.suites.kubernetes.chart import ALL_VALUES, CI_VALUES, NAME, ROOT, only, render

if TYPE_CHECKING:
    from pathlib import Path

RULE_FILES = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "deploy/prometheus/rules").glob("*.yaml")}


def rendered_rules(values: dict[str, Any]) -> dict[str, Any]:
    """Return the rule files that the chart renders, by their name."""
    found = [manifest for manifest in render(values) if manifest["kind"] == "PrometheusRule"]
    return {manifest["metadata"]["name"].removeprefix(f"{NAME}-"): manifest["spec"] for manifest in found}


def alerts_of(files: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the alerts of rule files by name."""
    rules = [rule for file in files.values() for group in file["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


def test_rules_are_those_of_the_rule_files() -> None:
    """Without values for single alerts, no rule differs."""
    assert rendered_rules({"prometheusRule": {"enabled": True}, "services": [*SERVICES]}) == RULE_FILES


def test_values_change_single_alerts() -> None:
    """Severity, `for`, threshold, labels and annotations of an alert change, and other alerts stay as they are."""
    shipped, changed = alerts_of(RULE_FILES), alerts_of(rendered_rules(CI_VALUES["rules"]))
    limit, incomplete = changed["QBusinessIndexDocumentsNearLimit"], changed["QBusinessSyncIncomplete"]
    assert limit["labels"] == {"severity": "critical", "team": "capacity"}
    assert limit["expr"] == "index:qbusiness_index_documents:ratio > 0.8"
    assert (incomplete["for"], incomplete["keep_firing_for"]) == ("30m", "1h")
    assert incomplete["annotations"] == shipped["QBusinessSyncIncomplete"]["annotations"] | {"channel": "#content"}
    other = shipped["QBusinessTargetDown"]
    assert changed["QBusinessTargetDown"] == other | {
        "labels": other["labels"] | {"team": "search"},
        "annotations": other["annotations"] | {"channel": "#search"},
    }


def test_one_data_source_sends_one_page_with_other_severities(tmp_path: Path) -> None:
    """Alerts whose severity a value renames still suppress each other. promtool evaluates what the chart renders."""
    pages = [name for name, rule in alerts_of(RULE_FILES).items() if rule["labels"]["severity"] == "critical"]
    overrides = {alert: {"severity": "page"} for alert in pages}
    rendered = rendered_rules({"prometheusRule": {"enabled": True, "overrides": overrides}, "services": [*SERVICES]})
    for name, rules in rendered.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(rules))
    content = (ROOT / "tests/rules/pages.yaml").read_text().replace("../../deploy/prometheus/rules", str(tmp_path))
    test = tmp_path / "pages.yaml"
    test.write_text(content.replace('severity="critical"', 'severity="page"'))
    done = subprocess.run(["promtool", "test", "rules", test], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_left_out_and_added() -> None:
    """A disabled alert is missing, and rules of the user have their own object."""
    rendered = rendered_rules(CI_VALUES["rules"])
    (group,) = rendered.pop("additional")["groups"]
    assert [rule["alert"] for rule in group["rules"]] == ["ProductionExporterAbsent"]
    own = {name for name in alerts_of(RULE_FILES) if name.startswith("QBusiness")}
    assert own - alerts_of(rendered).keys() == {"QBusinessSyncSlowerThanUsual"}


def test_alerts_link_to_the_configured_urls() -> None:
    """Links to runbooks, the status page and the dashboard of a data source have the URLs of the values."""
    installed = ("qbusiness", "bedrock")
    alerts = alerts_of(rendered_rules({**ALL_VALUES, "services": [*installed]}))
    assert {name: rule["annotations"]["runbook_url"] for name, rule in alerts.items()} == {
        name: f"{ALL_VALUES['runbookUrl']}/{name}" for name in alerts
    }
    texts = [rule["annotations"] for rule in alerts.values() if "status_url" in rule["annotations"]]
    source = "{{ $labels.data_source_id }}"
    assert {text["status_url"] for text in texts} == {f"{ALL_VALUES['externalUrl']}/?data_source_id={source}"}
    assert {text["dashboard_url"] for text in texts} == {
        f"{ALL_VALUES['grafanaUrl']}/d/{service}-data-source?var-data_source={source}" for service in installed
    }


def test_runbooks_are_those_of_the_exporter_by_default() -> None:
    """They are below the external URL."""
    alerts = alerts_of(rendered_rules({**CI_VALUES["behind-proxy"], "prometheusRule": {"enabled": True}}))
    assert alerts["QBusinessSyncFailed"]["annotations"]["runbook_url"] == (
        "https://ops.example.com/qb/runbooks/QBusinessSyncFailed"
    )


def test_dashboards_are_those_of_the_dashboard_files() -> None:
    """They are byte-identical, and have the label that Grafana's sidecar selects."""
    files = {path.name: path.read_text().strip() for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")}
    values = {"dashboards": {"enabled": True}, "services": [*SERVICES]}
    maps = [m for m in render(values) if "grafana_dashboard" in m["metadata"]["labels"]]
    assert {name: text.strip() for m in maps for name, text in m["data"].items()} == files
    assert all(m["metadata"]["annotations"] == {"grafana_folder": "Sync jobs"} for m in maps)


@pytest.mark.parametrize(
    ("values", "installed"),
    [
        ({}, {"exporter", "qbusiness"}),
        ({"config": {"targets": [{"region": "eu-west-1"}]}}, {"exporter", "qbusiness"}),
        ({"config": {"targets": [{"service": "bedrock"}]}}, {"exporter", "bedrock"}),
        ({"services": ["kendra"], "config": {"targets": [{"service": "bedrock"}]}}, {"exporter", "kendra"}),
        ({"existingConfigMap": "exporter"}, {"exporter", *SERVICES}),
    ],
)
def test_rules_and_dashboards_are_those_of_the_services_in_use(values: dict[str, Any], installed: set[str]) -> None:
    """By default, these are the services of the targets; with a ConfigMap of the user, they are unknown."""
    rendered = render({**values, "prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}})
    rules = [each["spec"]["groups"] for each in rendered if each["kind"] == "PrometheusRule"]
    maps = [each["data"] for each in rendered if "grafana_dashboard" in each["metadata"].get("labels", {})]
    uids = [json.loads(text)["uid"] for data in maps for text in data.values()]
    for names in ([group["name"] for groups in rules for group in groups], uids):
        assert {"exporter" if "exporter" in name else name.partition("-")[0] for name in names} == installed


def test_dashboards_link_to_the_configured_urls() -> None:
    """Links to runbooks and the status page have the URLs of the values, and the dashboards are still JSON."""
    maps = [m for m in render(ALL_VALUES) if "grafana_dashboard" in m["metadata"].get("labels", {})]
    texts = [text for m in maps for text in m["data"].values()]
    assert not [text for text in texts if "localhost" in text or "github.com" in text]
    for dashboard in map(json.loads, texts):
        (exporter_url,) = [
            variable for variable in dashboard["templating"]["list"] if variable["name"] == "exporter_url"
        ]
        assert exporter_url["query"] == ALL_VALUES["externalUrl"]
        assert f"{ALL_VALUES['runbookUrl']}/" in [link.get("url") for link in dashboard["links"]]
    assert f"{ALL_VALUES['runbookUrl']}/${{__value.raw}}" in "".join(texts)


def test_a_monitor_has_the_settings_of_the_values() -> None:
    """Settings of the scrape job and of the endpoint reach the operator; those without a value are absent."""
    spec = only(render(ALL_VALUES), "ServiceMonitor")["spec"]
    (endpoint,) = spec["endpoints"]
    monitor = ALL_VALUES["serviceMonitor"]
    assert {key: spec[key] for key in ("jobLabel", "targetLabels", "sampleLimit", "bodySizeLimit")} == {
        key: monitor[key] for key in ("jobLabel", "targetLabels", "sampleLimit", "bodySizeLimit")
    }
    assert (endpoint["honorLabels"], endpoint["enableHttp2"], endpoint["scheme"]) == (True, False, "https")
    (default,) = only(render({"podMonitor": {"enabled": True}}), "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert default == {"port": "metrics", "path": "/metrics", "interval": "30s", "scrapeTimeout": "10s"}


def test_scrapes_follow_the_prefix_of_the_paths() -> None:
    """The metrics are below the path of the external URL, unless a proxy removes it."""
    values = {"serviceMonitor": {"enabled": True}, "externalUrl": "https://ops.example.com/qb"}
    for prefix, path in (("", "/qb/metrics"), ("/", "/metrics"), ("/x/", "/x/metrics")):
        spec = only(render({**values, "routePrefix": prefix}), "ServiceMonitor")["spec"]
        assert spec["endpoints"][0]["path"] == path
