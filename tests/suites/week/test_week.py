"""A week of a realistic fleet fires the alerts that an engineer wants, and no others.

The exporter runs on virtual time, and promtool evaluates the shipped rules over its metrics. The alerts that fire are
compared every half an hour.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.domain.units import MINUTE
from tests.suites.week.fleet import SATURDAY, WEEK, WITH_INCIDENTS, WITHOUT_INCIDENTS, make_fleet
from tests.suites.week.week import MONDAY, SCRAPE_INTERVAL, Week
from tests.support.alert_rules import ROOT, RULE_FILES, rules, selected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.suites.week.fleet import SourcePlan

# The defaults are 1m and 5m. These make a week last half as long, and detect everything at most five minutes later.
SETTINGS: dict[str, Any] = {
    "polling": {"interval": "5m", "idle_interval": "10m"},
    "objectives": [{"match": {"data_source": "reports"}, "expected_every": "3d"}],
}
GROUPS = ("recording", "recording-past", "syncs", "documents", "resources", "exporter")
CHECK_INTERVAL = 0.5  # hours

Firing = tuple[str, str, float, float]
"""An alert, its data source, and from when until when it fires, in hours since Monday."""

EXPECTED: dict[str, tuple[Firing, ...]] = {
    # Information without a notification: some documents always fail.
    "without incidents": (("QBusinessOnlyIncompleteSyncs", "policies", 0, WEEK),),
    "with incidents": (
        ("QBusinessDocumentsDeletedInBulk", "purged", 30.5, 54.5),
        ("QBusinessSyncOverdue", "schedule-ignored", 26, 37.5),
        ("QBusinessNoSuccessfulSync", "schedule-ignored", 27.5, 37.5),
        ("QBusinessSyncIncomplete", "rejected", 33.5, 57.5),
        ("QBusinessNoSuccessfulSync", "expired-token", 40, 44.5),
        ("QBusinessSyncFailed", "expired-token", 40, 44.5),
        ("QBusinessSyncFailed", "failed-once", 53, 76),
        ("QBusinessSyncsWithoutContent", "always-stopped", 24.5, WEEK),
        ("QBusinessNoRecentSync", "connector-gone", 72.5, WEEK),
        ("QBusinessSyncRunningTooLong", "stuck", 76.5, WEEK),
        ("QBusinessSyncStuck", "stuck", 76.5, WEEK),
        ("QBusinessFirstSyncAddedNothing", "unproductive", 81.5, 105.5),
        ("QBusinessDocumentsDropped", "half-filtered", 96.5, 129),
    ),
}


@pytest.mark.parametrize(
    ("name", "plans"), [("without incidents", WITHOUT_INCIDENTS), ("with incidents", WITH_INCIDENTS)]
)
def test_the_alerts_of_a_week(name: str, plans: Sequence[SourcePlan], tmp_path: Path) -> None:
    """Each alert fires once for each incident, in time, and resolves when it is over."""
    week = Week(make_fleet(plans, MONDAY), SETTINGS)
    week.cut_network(SATURDAY + 3, 12 * MINUTE)
    names = {metric for rule in rules() for metric, _ in selected(rule.expr)}
    recording = week.record(WEEK, names)
    content = {
        "rule_files": [str(path) for path in RULE_FILES],
        "evaluation_interval": "5m",
        "group_eval_order": [f"qbusiness-{group}" for group in GROUPS],
        "tests": [
            {
                "interval": f"{SCRAPE_INTERVAL:.0f}s",
                "input_series": recording.input_series(),
                "promql_expr_test": list(_checks(EXPECTED[name])),
            }
        ],
    }
    file = tmp_path / "week.yaml"
    file.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _checks(expected: Sequence[Firing]) -> Iterator[dict[str, Any]]:
    """Yield the checks of the alerts that fire, every half an hour."""
    for number in range(1, int(WEEK / CHECK_INTERVAL)):
        hour = number * CHECK_INTERVAL
        firing = [(alert, source) for alert, source, begins, ends in expected if begins <= hour < ends]
        yield {
            "expr": 'sum by (alertname, data_source) (ALERTS{alertstate="firing"})',
            "eval_time": f"{hour * 60:.0f}m",
            "exp_samples": [
                {"labels": f'{{alertname="{alert}",data_source="{source}"}}', "value": 1} for alert, source in firing
            ],
        }


def test_the_page_names_the_alerts_that_fire() -> None:
    """Readers find in docs/alerts.md what this test has shown."""
    page = (ROOT / "docs/alerts.md").read_text()
    documented = set(re.findall(r"^\| (QBusiness\w+) \| fires \|", page, re.MULTILINE))
    assert documented == {alert for firing in EXPECTED.values() for alert, *_ in firing}
