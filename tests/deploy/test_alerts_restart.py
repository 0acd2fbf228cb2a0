"""A restart clears nothing: each alert that fires in its unit test still does when every series pauses for a while."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from promql_parser import parse_duration

from tests.support.alert_rules import UNIT_TESTS, alerts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAUSE = 150.0  # seconds, in which two scrapes of a minute are missed, or one of five
ABOUT_IT = {"QBusinessExporterDown", "QBusinessExporterAbsent"}  # which are about just that
_RUN = re.compile(r"(-?[\d.]+)([+-][\d.]+)?x(\d+)")


def samples(values: str) -> Iterator[str]:
    """Spell out what a unit test writes in short."""
    for token in values.split():
        if run := _RUN.fullmatch(token):
            first, step, times = float(run[1]), float(run[2] or 0), int(run[3])
            yield from (f"{first + step * number:g}" if step else run[1] for number in range(times + 1))
        elif token.startswith("_x"):
            yield from ["_"] * int(token[2:])
        else:
            yield token


def paused(values: str, after: int, steps: int) -> str:
    """Take samples away after one, as when nothing could be scraped for so many steps."""
    written = list(samples(values))
    return " ".join("_" if after < number <= after + steps else sample for number, sample in enumerate(written))


def restarted(group: dict[str, Any], interval: float) -> dict[str, Any] | None:
    """Make of a unit test one that pauses when its alert fires; none where none fires."""
    fired = [case for case in group.get("alert_rule_test", []) if case.get("exp_alerts")]
    if not fired or fired[0]["alertname"] in ABOUT_IT:
        return None
    at, steps = int(parse_duration(fired[0]["eval_time"]).total_seconds() / interval), max(1, int(PAUSE // interval))
    alert = fired[0]["alertname"]
    return {
        "name": alert,
        "interval": group["interval"],
        "input_series": [{**series, "values": paused(series["values"], at, steps)} for series in group["input_series"]],
        "promql_expr_test": [
            {
                "expr": f'count by (alertname) (ALERTS{{alertstate="firing", alertname="{alert}"}})',
                "eval_time": f"{int((at + step) * interval)}s",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1}],
            }
            for step in range(steps + 2)
        ],
    }


def restarts(file: Path) -> dict[str, Any]:
    """Make of a file of unit tests one in which what fires is followed by a restart."""
    said = yaml.safe_load(file.read_text())
    groups = (restarted(group, parse_duration(group["interval"]).total_seconds()) for group in said["tests"])
    rules = [str((file.parent / name).resolve()) for name in said["rule_files"]]
    return {**said, "rule_files": rules, "tests": [group for group in groups if group]}


@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: str(file.stem))
def test_a_restart_while_an_alert_fires_does_not_clear_it(file: Path, tmp_path: Path) -> None:
    """Nobody is told that it is over, and told again: promtool runs the unit tests with a gap in all series."""
    (tmp_path / "restarts.yaml").write_text(yaml.safe_dump(restarts(file)))
    done = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "restarts.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_restarted_upon() -> None:
    """But those that are about the exporter being away."""
    assert {group["name"] for file in UNIT_TESTS for group in restarts(file)["tests"]} == {
        alert.name for alert in alerts()
    } - ABOUT_IT
