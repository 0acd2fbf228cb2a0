"""Restarts: an alert that fires does not resolve when all series have a gap."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from promql_parser import parse_duration

from tests.support.alert_rules import UNIT_TESTS, hand_tested_alerts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GAP = 150.0  # seconds; at an interval of one minute two scrapes are missing, at five minutes one
ABOUT_THE_EXPORTER = {"QBusinessExporterDown", "QBusinessExporterAbsent"}  # a gap changes these by design
_SERIES = re.compile(r"(-?[\d.]+)([+-][\d.]+)?x(\d+)")


def samples(values: str) -> Iterator[str]:
    """Yield each sample of the shorthand of promtool, such as 0+1x5."""
    for token in values.split():
        if found := _SERIES.fullmatch(token):
            first, step, times = float(found[1]), float(found[2] or 0), int(found[3])
            yield from (f"{first + step * number:g}" if step else found[1] for number in range(times + 1))
        elif token.startswith("_x"):
            yield from ["_"] * int(token[2:])
        else:
            yield token


def with_gap(values: str, after: int, steps: int) -> str:
    """Return samples with a gap of some steps after one of them, as if no scrape succeeded."""
    return " ".join("_" if after < number <= after + steps else each for number, each in enumerate(samples(values)))


def restart_test(group: dict[str, Any], interval: float) -> dict[str, Any] | None:
    """Return a unit test with a gap while its alert fires; None if no alert fires in it."""
    fired = [case for case in group.get("alert_rule_test", []) if case.get("exp_alerts")]
    if not fired or fired[0]["alertname"] in ABOUT_THE_EXPORTER:
        return None
    at, steps = int(parse_duration(fired[0]["eval_time"]).total_seconds() / interval), max(1, int(GAP // interval))
    alert = fired[0]["alertname"]
    return {
        "name": alert,
        "interval": group["interval"],
        "input_series": [
            {**series, "values": with_gap(series["values"], at, steps)} for series in group["input_series"]
        ],
        "promql_expr_test": [
            {
                "expr": f'count by (alertname) (ALERTS{{alertstate="firing", alertname="{alert}"}})',
                "eval_time": f"{int((at + step) * interval)}s",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}],
            }
            for step in range(steps + 2)
        ],
    }


def restart_tests(file: Path) -> dict[str, Any]:
    """Return a file of unit tests in which a restart follows each alert."""
    content = yaml.safe_load(file.read_text())
    groups = (restart_test(group, parse_duration(group["interval"]).total_seconds()) for group in content["tests"])
    rules = [str((file.parent / name).resolve()) for name in content["rule_files"]]
    return {**content, "rule_files": rules, "tests": [group for group in groups if group]}


@pytest.mark.trial
@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: str(file.stem))
def test_a_restart_does_not_resolve_an_alert(file: Path, tmp_path: Path) -> None:
    """Otherwise Alertmanager would notify receivers twice. Promtool runs the unit tests with a gap in all series."""
    (tmp_path / "restarts.yaml").write_text(yaml.safe_dump(restart_tests(file)))
    done = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "restarts.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_restart_test() -> None:
    """The exceptions are the alerts about a missing exporter."""
    tested = {group["name"] for file in UNIT_TESTS for group in restart_tests(file)["tests"]}
    assert tested == {alert.name for alert in hand_tested_alerts()} - ABOUT_THE_EXPORTER
