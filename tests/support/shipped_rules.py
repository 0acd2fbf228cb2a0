"""The shipped rules, evaluated by a real promtool over metrics pages."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from exporter.providers.registry import DEFAULT_SERVICE
from tests.support.alert_rules import PROMETHEUS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from exporter.domain.model import Location

GROUPS = [f"{DEFAULT_SERVICE.name}-{kind}" for kind in ("recording", "syncs", "documents", "resources")]
RULES = [str(PROMETHEUS / "rules" / f"{group}.yaml") for group in GROUPS]
EVALUATED_AT = "100m"  # later than the longest `for` of an alert that has a rule in exporter.status

Alert = tuple[str, str, str]
"""The name of an alert, its severity, and the data source or index that it is about."""


def samples_of(page: str) -> dict[str, float]:
    """Return every sample of a metrics page, by its series in the notation of promtool."""
    found = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def timeline(pages: Sequence[str], minutes: int) -> list[dict[str, str]]:
    """Return the input series of promtool for metrics pages one after the other, each for a number of minutes."""
    values: dict[str, list[str]] = defaultdict(list)
    for number, page in enumerate(pages):
        samples = samples_of(page)
        for series in samples.keys() - values.keys():
            values[series] = [f"_x{minutes}"] * number
        for series, parts in values.items():
            value = samples.get(series)
            parts.append(f"_x{minutes}" if value is None else f"{value!r}x{minutes - 1}")
    return [{"series": series, "values": " ".join(parts)} for series, parts in values.items()]


def assert_firing(folder: Path, page: str, expected: Mapping[str, Sequence[Alert]], location: Location) -> None:
    """Assert that exactly these alerts fire for a metrics page, by the label that identifies their subject.

    All alerts of data sources carry the account and the region of the location.
    """
    expectations = [_of_location(location), *(_expectation(kind, alerts) for kind, alerts in expected.items())]
    _evaluate(folder, timeline([page], 105), EVALUATED_AT, expectations, "10m")


def assert_firing_at_last(folder: Path, pages: Sequence[str], minutes: int, expected: Sequence[Alert]) -> None:
    """Assert that after some metrics pages, each for a number of minutes, exactly these alerts of data sources fire."""
    last = f"{len(pages) * minutes - 1}m"
    _evaluate(folder, timeline(pages, minutes), last, [_expectation("data_source", expected)], "5m")


def _evaluate(
    folder: Path, series: list[dict[str, str]], time: str, expectations: list[dict[str, Any]], interval: str
) -> None:
    """Evaluate the rules of the default service at an interval, which is shorter than the time between two changes."""
    test: dict[str, Any] = {
        "rule_files": RULES,
        "evaluation_interval": interval,
        "group_eval_order": GROUPS,
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [{**expectation, "eval_time": time} for expectation in expectations],
            }
        ],
    }
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump(test))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _of_location(location: Location) -> dict[str, Any]:
    labels = f'{{aws_account_id="{location.account}",aws_region="{location.region}"}}'
    return {
        "expr": 'group by (aws_account_id, aws_region) (ALERTS{data_source!=""})',
        "exp_samples": [{"labels": labels, "value": 1}],
    }


def _expectation(kind: str, alerts: Sequence[Alert]) -> dict[str, Any]:
    labels = [f'{{alertname="{name}",{kind}="{about}",severity="{severity}"}}' for name, severity, about in alerts]
    return {
        "expr": f'max by (alertname, {kind}, severity) (ALERTS{{alertstate="firing",{kind}!=""}})',
        "exp_samples": [{"labels": each, "value": 1} for each in labels],
    }
