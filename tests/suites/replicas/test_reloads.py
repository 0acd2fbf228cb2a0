"""A configuration that changes on one replica after the other, as a ConfigMap reaches pods at different times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.harness import eventually
from tests.support.replica_cluster import NAMES, TARGETS, ReplicaCluster
from tests.support.replica_monitor import OWNED, STATE_UP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgresql import PostgreSqlServer

JOBS = 8  # that end in each phase
LAST = f"t{TARGETS - 1}"  # the target that is removed and added
KEY = f"qbusiness/{TARGETS - 1:012}/us-east-1"


@pytest.fixture
def cluster(tmp_path: Path, postgresql: PostgreSqlServer) -> Iterator[ReplicaCluster]:
    """Run three replicas with four targets."""
    with ReplicaCluster(tmp_path, postgresql) as cluster:
        cluster.until_jobs_counted(JOBS)
        yield cluster


def until_owned_by_one_of(cluster: ReplicaCluster, names: str) -> None:
    """Wait until one of these replicas polls the target, if there are any, and the others lack it."""

    def is_owned() -> bool:
        owned = {name: scrape.value(OWNED, target=LAST) for name, scrape in cluster.monitor.scrapes().items()}
        return {name for name, value in owned.items() if value is not None} == set(names) and (
            sum(value or 0 for value in owned.values()) == min(len(names), 1)
        )

    eventually(is_owned)


def test_a_target_is_removed_and_added_on_one_replica_after_the_other(cluster: ReplicaCluster) -> None:
    """A replica with the target in its configuration polls it, and its counters continue when it returns.

    Meanwhile one of these replicas stops, and all replicas can write.
    """
    for number, name in enumerate(NAMES, 1):
        cluster.configure(name, TARGETS - 1)
        until_owned_by_one_of(cluster, NAMES[number:])
        if number == 1:  # while the replicas differ, because each one compares them only when it beats
            eventually(lambda: all(cluster.programs[each].log_lines("different targets", KEY) for each in NAMES))
    cluster.configure("a", TARGETS)
    until_owned_by_one_of(cluster, "a")
    cluster.until_jobs_counted(JOBS)
    assert cluster.stop("a") == 0
    cluster.start("a")
    until_owned_by_one_of(cluster, "a")
    for name in "bc":
        cluster.configure(name, TARGETS)
    until_owned_by_one_of(cluster, NAMES)
    cluster.until_balanced()
    cluster.until_jobs_counted(JOBS)
    assert [scrape.value(STATE_UP) for scrape in cluster.monitor.scrapes().values()] == [1] * len(NAMES)
    cluster.check_totals()
