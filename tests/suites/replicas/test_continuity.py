"""A kill, a stop and a rolling update, as users of Prometheus see them through the shipped rules."""

from __future__ import annotations

import time
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.support.alert_rules import PROMETHEUS
from tests.support.harness import eventually
from tests.support.prometheus_server import prometheus, scrape_config
from tests.support.replica_cluster import NAMES, TAKE_OVER, ReplicaCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.postgresql import PostgreSqlServer
    from tests.support.prometheus_server import Prometheus

RECORDED = (  # what every data source has from its first ended job on
    "poll_success",
    "last_successful_poll_timestamp_seconds",
    "documents_added_total",
    "last_completed_sync_end_timestamp_seconds",
)
COUNTERS = ("sync_jobs_completed_total", "sync_job_duration_seconds_count", "documents_scanned_total")
AGE = "time() - data_source:qbusiness_last_successful_poll_timestamp_seconds:freshest"
INTERVAL = 1  # seconds between two scrapes, and between two evaluations
# Alerts on the current state. Others look back for minutes and may be pending for that long, which is less than `for`.
CURRENT = ("QBusinessExporterDown", "QBusinessStateNotWritten", "QBusinessTargetDown", "QBusinessTargetNotPolled")
JOBS = 8  # that end before and after a change


def kill(cluster: ReplicaCluster) -> None:
    """Kill a replica with SIGKILL, and start it again once it is replaced."""
    cluster.kill("a")
    cluster.until_owned("bc")
    cluster.start("a")


def stop(cluster: ReplicaCluster) -> None:
    """Stop a replica with SIGTERM, and start it again once it is replaced."""
    cluster.stop("a")
    cluster.until_owned("bc")
    cluster.start("a")


def update(cluster: ReplicaCluster) -> None:
    """Replace one replica after another, as a Deployment does."""
    for name in NAMES:
        cluster.stop(name)
        cluster.start(name)
        cluster.programs[name].until_ready()


def pause(cluster: ReplicaCluster) -> None:
    """Stop the process of a replica with SIGSTOP, and continue it once it is replaced."""
    cluster.pause("a")
    cluster.until_owned("bc")
    cluster.resume("a")


def cut_off(cluster: ReplicaCluster) -> None:
    """Lose all packets between a replica and the database until it is replaced."""
    cluster.links["a"].stall()
    cluster.until_owned("bc")
    cluster.links["a"].resume()


class Recorded:
    """The series that Prometheus has recorded since all data sources have values."""

    def __init__(self, server: Prometheus, sources: int) -> None:
        self._server = server
        for name in RECORDED:
            query = f"count(data_source:qbusiness_{name}:freshest)"
            eventually(partial(self._has_value, query, sources))
        self._began = time.time()

    def _has_value(self, query: str, value: float) -> bool:
        return self._server.value(query) == value

    def until_no_alert(self) -> None:
        """Wait until no alert on the current state is pending, for as long as a take-over may last."""
        query = f'ALERTS{{alertname=~"{"|".join(CURRENT)}"}}'
        eventually(lambda: not self._server.get("query", query=query)["result"], TAKE_OVER)

    def values(self, query: str) -> dict[str, list[float]]:
        """Return the values of each series, at each second until now."""
        span = {"start": self._began, "end": time.time(), "step": INTERVAL}
        result = self._server.get("query_range", query=query, **span)["result"]
        return {str(each["metric"]): [float(value) for _, value in each["values"]] for each in result}


@pytest.fixture
def cluster(tmp_path: Path, postgresql: PostgreSqlServer) -> Iterator[ReplicaCluster]:
    """Run three replicas with four targets."""
    with ReplicaCluster(tmp_path, postgresql) as cluster:
        cluster.until_jobs_counted(JOBS)
        yield cluster


@pytest.fixture
def recorded(tmp_path: Path, cluster: ReplicaCluster) -> Iterator[Recorded]:
    """Run a Prometheus that scrapes the replicas each second, with the shipped rules."""
    config = scrape_config(*(cluster.programs[name].listen for name in NAMES), interval=f"{INTERVAL}s")
    config["global"]["evaluation_interval"] = f"{INTERVAL}s"
    config["rule_files"] = [str(PROMETHEUS / "rules" / name) for name in ("qbusiness-recording.yaml", "exporter.yaml")]
    with prometheus(tmp_path, config) as server:
        yield Recorded(server, len(cluster.sources))


@pytest.mark.parametrize("change", [kill, stop, update, pause, cut_off])
def test_no_change_of_owners_affects_users(
    change: Callable[[ReplicaCluster], None], cluster: ReplicaCluster, recorded: Recorded
) -> None:
    """No recorded series disappears, no counter falls, and the data of no data source is ever 30 seconds old.

    No alert about the exporter fires, and none on its current state is pending once the replicas are balanced again. At
    the end, the counters equal the number of ended jobs. Because they never fall, they were never too high.
    """
    change(cluster)
    cluster.until_balanced()
    recorded.until_no_alert()
    cluster.until_jobs_counted(JOBS)
    cluster.check_totals()
    seconds = len(recorded.values("vector(1)")["{}"])
    for name in RECORDED:
        series = recorded.values(f"data_source:qbusiness_{name}:freshest")
        assert len(series) == len(cluster.sources)
        assert min(map(len, series.values())) >= seconds - 1  # the last second may not be evaluated yet
    for name in COUNTERS:
        counters = recorded.values(f"max without (instance) (last_over_time(qbusiness_{name}[10m]))")
        assert counters
        assert all(before <= after for values in counters.values() for before, after in pairwise(values))
    assert max(map(max, recorded.values(AGE).values())) < TAKE_OVER
    assert not recorded.values('ALERTS{alertstate="firing"}')
