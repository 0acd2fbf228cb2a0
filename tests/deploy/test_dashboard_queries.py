"""What panels say of made-up series: two replicas, what has ended or is not known, and what the demo cannot show."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.alert_rules import RULE_FILES
from tests.support.dashboards import ANY, FILES, interpolate, queries

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = 'application="intranet", data_source="hr", data_source_id="1"'
INDEX = 'application="intranet", index="main", index_id="i"'
EXPRESSIONS = {name: target["expr"] for file in FILES for name, _, target in queries(file)}
POLLED = "qbusiness_last_successful_poll_timestamp_seconds"


def of(replica: str, metric: str, values: str, labels: str = "") -> dict[str, str]:
    """Make a series of the data source, as a replica tells it at each scrape."""
    return {"series": f'{metric}{{{SOURCE}, job="q", instance="{replica}"{labels}}}', "values": values}


def answers(tmp_path: Path, series: list[dict[str, str]], at: str, expected: dict[str, Any], every: str = "1m") -> None:
    """Hold what queries answer at a moment against what is expected: a value, several by label, or None for nothing."""
    asked = [
        {
            "expr": interpolate(EXPRESSIONS[name], ANY | {"$__rate_interval": "4m30s"}),
            "eval_time": at,
            "exp_samples": _samples(value),
        }
        for name, value in expected.items()
    ]
    test = {"interval": every, "input_series": series, "promql_expr_test": asked}
    file = tmp_path / "test.yaml"
    file.write_text(
        yaml.safe_dump(
            {"rule_files": [str(file) for file in RULE_FILES], "evaluation_interval": every, "tests": [test]}
        )
    )
    ran = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _samples(value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [{"labels": labels, "value": number} for labels, number in value.items()]
    return [{"labels": "{}", "value": value}]


def test_of_two_replicas_the_one_that_read_last_is_believed(tmp_path: Path) -> None:
    """The other is behind, and still takes the last sync for a failure; what both count is not counted twice."""
    series = [
        of("ahead", POLLED, "0+60x20"),
        of("behind", POLLED, "0x20"),
        of("ahead", "qbusiness_last_completed_sync_status", "0x20", ', status="FAILED"'),
        of("behind", "qbusiness_last_completed_sync_status", "1x20", ', status="FAILED"'),
        of("ahead", "qbusiness_consecutive_failed_syncs", "0x20"),
        of("behind", "qbusiness_consecutive_failed_syncs", "5x20"),
        of("ahead", "qbusiness_documents_added_total", "0+10x20"),
        of("behind", "qbusiness_documents_added_total", "0+10x20"),
    ]
    expected = {
        "overview.json: Data sources: A": 1,
        "overview.json: Last sync failed: A": 0,
        "overview.json: Repeated failures: A": 0,
        "overview.json: Document changes: added": 45,
    }
    answers(tmp_path, series, "15m", expected)


def test_a_sync_that_has_ended_is_not_in_progress_any_more(tmp_path: Path) -> None:
    """Its series go with the next scrape, and the panels follow, though all else is carried over ten minutes."""
    series = [
        of("one", POLLED, "0+60x20"),
        of("one", "qbusiness_running_sync_start_timestamp_seconds", "0x9 stale _x10"),
        of("one", "qbusiness_running_sync_documents_scanned", "0+10x9 stale _x10"),
        of("one", "qbusiness_data_source_objective_max_duration_seconds", "300x20"),
    ]
    running = {
        "data-source.json: Running time: A": {f"{{{SOURCE}}}": 480},
        "data-source.json: Documents scanned: running": {f"{{{SOURCE}}}": 80},
        "overview.json: Overrunning syncs: A": 1,
    }
    answers(tmp_path, series, "8m", running)
    answers(tmp_path, series, "11m", dict.fromkeys(running) | {"overview.json: Overrunning syncs: A": 0})


def test_without_anything_to_go_by_nothing_is_said_to_be_well(tmp_path: Path) -> None:
    """No data, where a 0 would look like good news."""
    counts = [name for name in EXPRESSIONS if name.startswith("overview.json") and name.endswith(": A")]
    answers(tmp_path, [], "10m", dict.fromkeys(counts))


def test_the_worst_alert_of_a_data_source_is_shown(tmp_path: Path) -> None:
    """One that fires before one that is about to, whatever their severities."""
    series = [of("one", POLLED, "0+60x40"), of("one", "qbusiness_consecutive_failed_syncs", "4x40")]
    series += [of("one", "qbusiness_last_completed_sync_status", "1x40", ', status="FAILED"')]
    worst = f'{{{SOURCE}, alertname="QBusinessSyncFailingRepeatedly", alertstate="firing", severity="critical"}}'
    answers(tmp_path, series, "30m", {"overview.json: Data sources with alerts: rank": {worst: 6}})


def test_an_alert_of_another_severity_is_not_left_out(tmp_path: Path) -> None:
    """Severities may be changed for somebody's own routing."""
    alert = f'{{{SOURCE}, alertname="QBusinessSyncFailed", alertstate="firing", severity="page"}}'
    series = [{"series": f"ALERTS{alert}", "values": "1x20"}]
    answers(tmp_path, series, "15m", {"overview.json: Data sources with alerts: rank": {alert: 0}})


@pytest.mark.parametrize("kind", ["documents", "text_bytes"])
def test_when_an_index_will_be_full(tmp_path: Path, kind: str) -> None:
    """At the pace of the past day; said of no index that shrinks or stands still."""
    label = f'{{{INDEX}, job="q", instance="one"}}'
    limit = {"series": f"qbusiness_index_{kind}_limit{label}", "values": "10000x20"}
    growing = {"series": f"qbusiness_index_{kind}{label}", "values": "0+60x20"}
    name = f"index-capacity.json: Indexes: {kind}_full"
    answers(tmp_path, [limit, growing], "15m", {name: {f"{{{INDEX}}}": 9100}})
    answers(tmp_path, [limit, {**growing, "values": "900-60x20"}], "15m", {name: None})


def test_errors_are_shown_by_code_and_reason(tmp_path: Path) -> None:
    """And a line at 0 where there are none, as long as anything is asked at all."""
    target = 'job="q", instance="one", target="main"'
    counted = "qbusiness_exporter_api_requests_total"
    series = [
        {"series": f'{counted}{{{target}, operation="GetIndex", code="200"}}', "values": "0+60x20"},
        {"series": f'{counted}{{{target}, operation="GetIndex", code="ThrottlingException"}}', "values": "0+120x20"},
        {"series": f"qbusiness_exporter_polls_total{{{target}}}", "values": "0+60x20"},
        {"series": f'qbusiness_exporter_poll_failures_total{{{target}, reason="throttled"}}', "values": "0+30x20"},
        {"series": f'qbusiness_exporter_poll_failures_total{{{target}, reason="denied"}}', "values": "0x20"},
    ]
    expected = {
        "exporter.json: Failed requests by code: codes": {'{code="ThrottlingException"}': 2},
        "exporter.json: Failed requests by code: none": 0,
        "exporter.json: Failed polls by reason: reasons": {'{reason="throttled"}': 0.5},
        "exporter.json: Failed polls by reason: none": 0,
        "exporter.json: Throttled requests: A": 2 / 3,
    }
    answers(tmp_path, series, "15m", expected)


def test_what_is_usual_is_shown_after_a_day(tmp_path: Path) -> None:
    """Not before: there is too little to go by."""
    series = [
        of("one", POLLED, "0+300x320"),
        of("one", "qbusiness_last_completed_sync_documents_scanned", "250x320"),
        of("one", "qbusiness_last_completed_sync_status", "1x320", ', status="SUCCEEDED"'),
    ]
    name = "data-source.json: Documents scanned: usual"
    answers(tmp_path, series, "20h", {name: None}, every="5m")
    answers(tmp_path, series, "26h", {name: {f"{{{SOURCE}}}": 250}}, every="5m")


def test_reasons_are_the_connectors_code_else_the_apis(tmp_path: Path) -> None:
    """Each failure is counted under one of them."""
    labels = ', error_code="{}", connector_error_code="{}"'
    counted = "qbusiness_sync_job_failures_total"
    series = [
        of("one", counted, "0+2x90", labels.format("InvalidRequest", "CNF-5572")),
        of("one", counted, "0+1x90", labels.format("InternalError", "")),
    ]
    name = "overview.json: Top failure reasons: A"
    answers(tmp_path, series, "80m", {name: {'{reason="CNF-5572"}': 120, '{reason="InternalError"}': 60}})
