"""The shipped rules over replicas that change: no alert fires, and no aggregated counter falls.

The replicas run on virtual time, and promtool evaluates the rules over what Prometheus would have scraped.
"""

from __future__ import annotations

import subprocess
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.domain.units import DAY, MINUTE
from exporter.simulator.fleet import make_id
from exporter.simulator.job import PlannedJob
from simulation.fleet import PlannedSource
from simulation.replicas.cluster import ClusterState
from simulation.replicas.world import ReplicaWorld
from tests.suites.week.week import Recording
from tests.support.alert_rules import RULE_FILES, rules, selected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

INTERVAL = 30.0  # seconds between two scrapes
MINUTES = 70
DOCUMENTS = {"added": 1, "modified": 2, "deleted": 0, "failed": 0, "scanned": 100}
GROUPS = ("recording", "recording-past", "syncs", "documents", "resources", "exporter")
COUNTERS = ("qbusiness_sync_jobs_completed_total", "qbusiness_documents_added_total")


class HealthyCluster(ClusterState):
    """A cluster whose sync jobs are worth no alert."""

    def make_source(self, name: str) -> PlannedSource:
        """Return a data source with a sync job every three minutes, since hours ago."""
        source = PlannedSource(name, "S3", created=self.begins - 90 * DAY, updated=self.begins - DAY)
        starts = [self.begins + number * 3 * MINUTE for number in range(-100, MINUTES // 3)]
        source.plan(
            [
                PlannedJob(make_id("job", name, number), start, 40.0, 20.0, "SUCCEEDED", DOCUMENTS)
                for number, start in enumerate(starts)
            ]
        )
        return source


class Changes:
    """A kill, a roll-out, a scale-up, a suspension and a failover; then one replica does not return."""

    def __init__(self, cluster: ClusterState, world: ReplicaWorld) -> None:
        self._cluster = cluster
        self._at(5, partial(world.kill, "a", 60.0))
        for number, name in enumerate("abc"):
            self._at(15 + number / 2, partial(world.stop, name, 5.0))
        self._at(25, partial(world.scale, "d", 5 * MINUTE))
        self._at(37, lambda: world.processes["b"].host.suspend(cluster.clock.now + 60.0))
        self._at(45, self._fail_over)
        self._at(55, partial(world.kill, "a", DAY))

    def _at(self, minute: float, change: Callable[[], None]) -> None:
        self._cluster.clock.at(self._cluster.begins + minute * MINUTE, change)

    def _fail_over(self) -> None:
        """Restart the database as it was five seconds before."""
        database, copy = self._cluster.database, self._cluster.database.copy()

        def promote() -> None:
            database.restore(copy)
            database.down_until = self._cluster.clock.now + 30.0

        self._cluster.clock.after(5.0, promote)


@pytest.mark.timeout(300)
def test_no_alert_fires_while_replicas_change(tmp_path: Path) -> None:
    """No change of owners is an incident, and no counter falls. A replica that does not return is reported."""
    cluster = HealthyCluster(1, None, MINUTES)
    world = ReplicaWorld(cluster, Changes)
    names = frozenset({"up", *COUNTERS}.union(metric for rule in rules() for metric, _ in selected(rule.expr)))
    recordings = {
        name: Recording(names, cluster.begins, f'instance="{name}",job="qbusiness"', "stale") for name in "abcd"
    }
    try:
        for number in range(int(MINUTES * MINUTE / INTERVAL)):
            cluster.clock.at(cluster.begins + number * INTERVAL, partial(scrape, world, recordings))
        world.run()
    finally:
        world.close()
    series = [each for recording in recordings.values() for each in recording.input_series()]
    evaluate(tmp_path / "test.yaml", series, [*no_alerts(range(1, 60)), *no_falls(), *one_down(66)])


def scrape(world: ReplicaWorld, recordings: dict[str, Recording]) -> None:
    """Scrape all replicas, as Prometheus does; an added one is not a target before its start and after its end."""
    for name, recording in recordings.items():
        process = world.processes.get(name)
        if process and process.responds:
            recording.add(f"{process.page()}\nup 1")
        else:
            recording.add("" if name == "d" else "up 0")


def no_alerts(minutes: range) -> Iterator[dict[str, Any]]:
    """Yield the checks that no alert fires."""
    for minute in minutes:
        yield {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{minute}m", "exp_samples": []}


def no_falls() -> Iterator[dict[str, Any]]:
    """Yield the checks that no counter falls as the rules aggregate it."""
    for counter in COUNTERS:
        expression = f"sum(resets((max without (instance, pod) ({counter}))[{MINUTES}m:{INTERVAL:.0f}s]))"
        yield {"expr": expression, "eval_time": f"{MINUTES}m", "exp_samples": [{"value": 0, "labels": "{}"}]}


def one_down(minute: int) -> Iterator[dict[str, Any]]:
    """Yield the check that the replica that does not return is reported."""
    alert = '{alertname="QBusinessExporterDown",instance="a"}'
    yield {
        "expr": 'count by (alertname, instance) (ALERTS{alertstate="firing"})',
        "eval_time": f"{minute}m",
        "exp_samples": [{"value": 1, "labels": alert}],
    }


def evaluate(file: Path, series: list[dict[str, str]], checks: list[dict[str, Any]]) -> None:
    """Evaluate the shipped rules over series with promtool, and assert the checks."""
    content = {
        "rule_files": [str(path) for path in RULE_FILES],
        "evaluation_interval": f"{INTERVAL:.0f}s",
        "group_eval_order": [f"qbusiness-{group}" for group in GROUPS],
        "tests": [{"interval": f"{INTERVAL:.0f}s", "input_series": series, "promql_expr_test": checks}],
    }
    file.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
