"""The results of panel queries for invented series: replicas, ended syncs, missing data, and other cases."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.dashboards import ANY, FILES, interpolate, queries
from tests.support.shipped_rules import RULES

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = 'application="intranet", data_source="hr", data_source_id="1"'
INDEX = 'application="intranet", index="main", index_id="i"'
EXPRESSIONS = {name: target["expr"] for file in FILES for name, _, target in queries(file)}
POLLED = "qbusiness_last_successful_poll_timestamp_seconds"


def source_series(replica: str, metric: str, values: str, labels: str = "") -> dict[str, str]:
    """Return a series of the data source, as scraped from a replica."""
    return {"series": f'{metric}{{{SOURCE}, job="q", instance="{replica}"{labels}}}', "values": values}


def assert_results(
    tmp_path: Path, series: list[dict[str, str]], at: str, expected: dict[str, Any], interval: str = "1m"
) -> None:
    """Assert the results of queries at a time: a value, values by labels, or None for an empty result."""
    tests = [
        {
            "expr": interpolate(EXPRESSIONS[name], ANY | {"$__rate_interval": "4m30s"}),
            "eval_time": at,
            "exp_samples": _samples(value),
        }
        for name, value in expected.items()
    ]
    test = {"interval": interval, "input_series": series, "promql_expr_test": tests}
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": RULES, "evaluation_interval": interval, "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _samples(value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [{"labels": labels, "value": number} for labels, number in value.items()]
    return [{"labels": "{}", "value": value}]


def test_panels_use_the_replica_that_polled_last(tmp_path: Path) -> None:
    """The other replica still reports a failure. What both have counted is not added."""
    series = [
        source_series("ahead", POLLED, "0+60x20"),
        source_series("behind", POLLED, "0x20"),
        source_series("ahead", "qbusiness_last_completed_sync_status", "0x20", ', status="FAILED"'),
        source_series("behind", "qbusiness_last_completed_sync_status", "1x20", ', status="FAILED"'),
        source_series("ahead", "qbusiness_consecutive_failed_syncs", "0x20"),
        source_series("behind", "qbusiness_consecutive_failed_syncs", "5x20"),
        source_series("ahead", "qbusiness_documents_added_total", "0+10x20"),
        source_series("behind", "qbusiness_documents_added_total", "0+10x20"),
    ]
    expected = {
        "overview.json: Data sources: A": 1,
        "overview.json: Last sync failed: A": 0,
        "overview.json: Repeated failures: A": 0,
        "overview.json: Document changes: added": 45,
    }
    assert_results(tmp_path, series, "15m", expected)


def test_an_ended_sync_is_not_running(tmp_path: Path) -> None:
    """Its series become stale at the next scrape, although panels bridge gaps of ten minutes in other series."""
    series = [
        source_series("one", POLLED, "0+60x20"),
        source_series("one", "qbusiness_running_sync_start_timestamp_seconds", "0x9 stale _x10"),
        source_series("one", "qbusiness_running_sync_documents_scanned", "0+10x9 stale _x10"),
        source_series("one", "qbusiness_data_source_objective_max_duration_seconds", "300x20"),
    ]
    running = {
        "data-source.json: Running time: A": {f"{{{SOURCE}}}": 480},
        "data-source.json: Documents scanned: running": {f"{{{SOURCE}}}": 80},
        "overview.json: Overrunning syncs: A": 1,
    }
    assert_results(tmp_path, series, "8m", running)
    assert_results(tmp_path, series, "11m", dict.fromkeys(running) | {"overview.json: Overrunning syncs: A": 0})


def test_panels_without_data_do_not_show_zero(tmp_path: Path) -> None:
    """Zero would look like no problems."""
    counts = [name for name in EXPRESSIONS if name.startswith("overview.json") and name.endswith(": A")]
    assert_results(tmp_path, [], "10m", dict.fromkeys(counts))


def test_the_worst_alert_of_a_source_is_shown(tmp_path: Path) -> None:
    """A firing alert has precedence over a pending one, regardless of the severities."""
    series = [
        source_series("one", POLLED, "0+60x100"),
        source_series("one", "qbusiness_consecutive_failed_syncs", "4x100"),
    ]
    series += [source_series("one", "qbusiness_last_completed_sync_status", "1x100", ', status="FAILED"')]
    worst = f'{{{SOURCE}, alertname="QBusinessSyncFailingRepeatedly", alertstate="firing", severity="critical"}}'
    assert_results(tmp_path, series, "80m", {"overview.json: Data sources with alerts: rank": {worst: 6}})


def test_alerts_of_other_severities_are_shown(tmp_path: Path) -> None:
    """Users may change severities for their own routing."""
    alert = f'{{{SOURCE}, alertname="QBusinessSyncFailed", alertstate="firing", severity="page"}}'
    series = [{"series": f"ALERTS{alert}", "values": "1x20"}]
    assert_results(tmp_path, series, "15m", {"overview.json: Data sources with alerts: rank": {alert: 0}})


@pytest.mark.parametrize("kind", ["documents", "text_bytes"])
def test_the_time_until_an_index_is_full(tmp_path: Path, kind: str) -> None:
    """It follows from the growth of the last day, and there is none for an index that shrinks."""
    label = f'{{{INDEX}, job="q", instance="one"}}'
    limit = {"series": f"qbusiness_index_{kind}_limit{label}", "values": "10000x20"}
    growing = {"series": f"qbusiness_index_{kind}{label}", "values": "0+60x20"}
    name = f"index-capacity.json: Indexes: {kind}_full"
    assert_results(tmp_path, [limit, growing], "15m", {name: {f"{{{INDEX}}}": 9100}})
    assert_results(tmp_path, [limit, {**growing, "values": "900-60x20"}], "15m", {name: None})


def test_errors_are_shown_by_code_and_reason(tmp_path: Path) -> None:
    """Without errors there is a line at 0, if the exporter sends requests at all."""
    target = 'job="q", instance="one", target="main"'
    handler = 'job="q", instance="one", handler="/metrics"'
    counted, served = "qbusiness_exporter_api_requests_total", "qbusiness_exporter_http_requests_total"
    series = [
        {"series": f'{counted}{{{target}, operation="GetIndex", code="200"}}', "values": "0+60x20"},
        {"series": f'{counted}{{{target}, operation="GetIndex", code="ThrottlingException"}}', "values": "0+120x20"},
        {"series": f"qbusiness_exporter_polls_total{{{target}}}", "values": "0+60x20"},
        {"series": f'qbusiness_exporter_poll_failures_total{{{target}, reason="throttled"}}', "values": "0+30x20"},
        {"series": f'qbusiness_exporter_poll_failures_total{{{target}, reason="denied"}}', "values": "0x20"},
        {"series": f'{served}{{{handler}, code="200"}}', "values": "0+60x20"},
        {"series": f'{served}{{{handler}, code="401"}}', "values": "0+180x20"},
    ]
    expected = {
        "exporter.json: Failed requests by code: codes": {'{code="ThrottlingException"}': 2},
        "exporter.json: Failed requests by code: none": 0,
        "exporter.json: Failed polls by reason: reasons": {'{reason="throttled"}': 0.5},
        "exporter.json: Failed polls by reason: none": 0,
        "exporter.json: Refused requests by code: codes": {'{code="401"}': 3},
        "exporter.json: Refused requests by code: none": 0,
        "exporter.json: Throttled requests: A": 2 / 3,
    }
    assert_results(tmp_path, series, "15m", expected)


@pytest.mark.trial
def test_usual_values_are_shown_after_a_day(tmp_path: Path) -> None:
    """Before that, there is too little history."""
    series = [
        source_series("one", POLLED, "0+300x320"),
        source_series("one", "qbusiness_last_completed_sync_documents_scanned", "250x320"),
        source_series("one", "qbusiness_last_completed_sync_status", "1x320", ', status="SUCCEEDED"'),
    ]
    name = "data-source.json: Documents scanned: usual"
    assert_results(tmp_path, series, "20h", {name: None}, interval="5m")
    assert_results(tmp_path, series, "26h", {name: {f"{{{SOURCE}}}": 250}}, interval="5m")


def test_the_reason_is_the_code_of_the_connector_or_of_the_api(tmp_path: Path) -> None:
    """Each failure is counted under one code: the connector's if there is one."""
    labels = ', error_code="{}", connector_error_code="{}"'
    counted = "qbusiness_sync_job_failures_total"
    series = [
        source_series("one", counted, "0+2x90", labels.format("InvalidRequest", "CNF-5572")),
        source_series("one", counted, "0+1x90", labels.format("InternalError", "")),
    ]
    name = "overview.json: Top failure reasons: A"
    assert_results(tmp_path, series, "80m", {name: {'{reason="CNF-5572"}': 120, '{reason="InternalError"}': 60}})


@pytest.mark.parametrize("name", ["overview.json: Top failure reasons: A", "data-source.json: Top failure reasons: A"])
def test_the_first_failure_with_a_code_of_the_connector_is_counted(tmp_path: Path, name: str) -> None:
    """Its series appears at 1. An older failure, which a new pod or a new Prometheus sees, is not new."""
    labels = ', error_code="InvalidRequest", connector_error_code="{}"'
    counted = "qbusiness_sync_job_failures_total"
    series = [
        source_series("one", counted, "0x90", labels.format("")),
        source_series("one", counted, "_x39 1x50", labels.format("CNF-5572")),
        source_series("one", counted, "_x39 2x19 3x30", labels.format("SPE-5001")),
        source_series("one", counted, "1x70 stale", labels.format("JRA-5001")),
        source_series("two", counted, "_x70 1x20", labels.format("JRA-5001")),
    ]
    assert_results(tmp_path, series, "80m", {name: {'{reason="CNF-5572"}': 1, '{reason="SPE-5001"}': 3}})
    assert_results(tmp_path, series, "50m", {name: None})
