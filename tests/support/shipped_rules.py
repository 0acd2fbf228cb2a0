"""The shipped rules, evaluated by a real promtool over series that stay as they are."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.alert_rules import RULE_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from exporter.domain.model import Location

GROUPS = ["qbusiness-recording", "qbusiness-syncs", "qbusiness-documents", "qbusiness-resources"]
EVALUATED_AT = "85m"  # later than the longest `for`

Alert = tuple[str, str, str]
"""The name of an alert, its severity, and the data source or index that it is about."""


def constant_series(page: str) -> Iterator[dict[str, str]]:
    """Yield every series of a metrics page as an input series of promtool that does not change."""
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            yield {"series": f"{sample.name}{{{labels}}}", "values": f"{sample.value!r}x90"}


def assert_firing(folder: Path, page: str, expected: Mapping[str, Sequence[Alert]], location: Location) -> None:
    """Assert that over a metrics page exactly these alerts fire, by the label that names what they are about.

    All alerts of data sources carry the account and the region of the location.
    """
    test: dict[str, Any] = {
        "rule_files": [str(path) for path in RULE_FILES],
        "evaluation_interval": "1m",
        "group_eval_order": GROUPS,
        "tests": [
            {
                "interval": "1m",
                "input_series": list(constant_series(page)),
                "promql_expr_test": [
                    _of_location(location),
                    *(_expectation(kind, alerts) for kind, alerts in expected.items()),
                ],
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
        "eval_time": EVALUATED_AT,
        "exp_samples": [{"labels": labels, "value": 1}],
    }


def _expectation(kind: str, alerts: Sequence[Alert]) -> dict[str, Any]:
    labels = [f'{{alertname="{name}",{kind}="{about}",severity="{severity}"}}' for name, severity, about in alerts]
    return {
        "expr": f'max by (alertname, {kind}, severity) (ALERTS{{alertstate="firing",{kind}!=""}})',
        "eval_time": EVALUATED_AT,
        "exp_samples": [{"labels": each, "value": 1} for each in labels],
    }
