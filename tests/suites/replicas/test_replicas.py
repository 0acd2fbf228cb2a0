"""Replicas as real processes: every sync job is counted once, even if replicas are killed, paused or replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.harness import eventually
from tests.support.postgresql import PostgreSqlServer
from tests.support.replica_cluster import NAMES, TAKE_OVER, ReplicaCluster
from tests.support.replica_monitor import OWNED, STATE_UP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = 8  # that end in each phase of a test


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSqlServer]:
    """Run a server for the tests of a worker."""
    with PostgreSqlServer() as server:
        yield server


@pytest.fixture
def cluster(tmp_path: Path, server: PostgreSqlServer) -> Iterator[ReplicaCluster]:
    """Run three replicas with four targets."""
    with ReplicaCluster(tmp_path, server) as cluster:
        cluster.until_jobs_counted(JOBS)
        yield cluster


def test_a_killed_replica_is_replaced(cluster: ReplicaCluster) -> None:
    """Its targets have another owner within 30 seconds; after a restart it owns targets again."""
    cluster.kill("a")
    assert cluster.until_owned("bc") < TAKE_OVER
    cluster.until_jobs_counted(JOBS)
    cluster.start("a")
    cluster.until_balanced()
    cluster.until_jobs_counted(JOBS)
    cluster.check_totals()


def test_a_paused_replica_writes_nothing_after_it_was_replaced(cluster: ReplicaCluster) -> None:
    """It continues in the middle of polls, and stops exposing its series."""
    cluster.pause("a")
    assert cluster.until_owned("bc") < TAKE_OVER
    eventually(lambda: cluster.shown_by("b") == [(False, 2), (True, 2)])
    cluster.until_jobs_counted(JOBS)
    cluster.resume("a")
    cluster.programs["a"].until_logged("target lost to another replica")
    cluster.until_balanced()
    cluster.until_jobs_counted(JOBS)
    cluster.check_totals()


def test_a_replica_whose_connection_is_half_open_is_replaced(cluster: ReplicaCluster) -> None:
    """It continues from memory and reports this, and stops when the network to the database works again.

    The pages of the others show the owners: at first the replica that is cut off, then those that replace it.
    """
    cluster.links["a"].stall()
    assert len(cluster.shown_by("b")) == len(NAMES)
    assert cluster.until_owned("bc") < TAKE_OVER
    eventually(lambda: cluster.shown_by("b") == [(False, 2), (True, 2)])
    eventually(lambda: cluster.monitor.scrapes()["a"].value(STATE_UP) == 0)
    cluster.programs["a"].until_logged("database not reached, keeping changes in memory")
    eventually(lambda: "writes are failing" in cluster.programs["a"].get("/")[1])
    cluster.until_jobs_counted(JOBS)
    cluster.links["a"].resume()
    cluster.until_balanced()
    eventually(lambda: len(cluster.shown_by("b")) == len(NAMES))
    cluster.until_jobs_counted(JOBS)
    cluster.check_totals()


def test_a_stopped_replica_hands_over_at_once(cluster: ReplicaCluster) -> None:
    """Its targets do not wait for the end of its lease."""
    assert cluster.stop("a") == 0
    assert len(cluster.live_owners()) == len(cluster.services)
    cluster.until_owned("bc")
    cluster.until_jobs_counted(JOBS)
    cluster.check_totals()


def test_a_rolling_update_loses_nothing(cluster: ReplicaCluster) -> None:
    """One replica after another is replaced, as by a Deployment."""
    for name in "abc":
        assert cluster.stop(name) == 0
        cluster.start(name)
        cluster.programs[name].until_ready()
        cluster.until_jobs_counted(JOBS)
    cluster.check_totals()


def test_replicas_continue_while_the_database_is_away(cluster: ReplicaCluster) -> None:
    """They count from memory, report it, keep their targets, and write everything when the database is back."""
    owned = cluster.owners()
    cluster.server.stop()
    eventually(lambda: all(scrape.value(STATE_UP) == 0 for scrape in cluster.monitor.scrapes().values()))
    cluster.until_jobs_counted(JOBS)
    assert sum(scrape.value(OWNED) or 0 for scrape in cluster.monitor.scrapes().values()) == len(cluster.services)
    cluster.server.start()
    eventually(lambda: cluster.owners() == owned)
    for name in "bc":
        cluster.kill(name)
    cluster.until_owned("a")
    cluster.check_totals()


def test_a_failover_that_loses_commits_loses_no_counts(cluster: ReplicaCluster) -> None:
    """The database returns to its state of some seconds ago, and the owners write the missing commits again."""
    server, copy = cluster.server, cluster.server.directory / "standby"
    server.stop()
    server.copy_data(copy)
    server.start()
    cluster.until_owned("abc")
    cluster.until_jobs_counted(JOBS)
    server.stop()
    server.replace_data(copy)
    server.start()
    cluster.until_owned("abc")
    warned = "database has lost commits"
    eventually(lambda: any(program.log_lines(warned) for program in cluster.programs.values()))
    for name in "bc":
        cluster.kill(name)
    cluster.until_owned("a")
    cluster.until_jobs_counted(JOBS)
    cluster.check_totals()
