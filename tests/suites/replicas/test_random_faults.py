"""Faults of every kind at random times, on real replicas and a real PostgreSQL server.

`make test-replicas` runs two seeds. `tests/suites/replicas/run -k random --seeds 50` runs fifty, from
`--first-seed` on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.suites.replicas.faults import FaultyCluster, make_faults
from tests.support.postgresql import PostgreSqlServer
from tests.support.replica_cluster import NAMES, ReplicaCluster

if TYPE_CHECKING:
    from pathlib import Path

JOBS = 8  # that end before the first fault


def test_no_sequence_of_faults_affects_users(tmp_path: Path, seed: int) -> None:
    """Every job is counted once, no counter falls in the aggregation of the rules, and no data source is late.

    At the end, one replica continues from the state of all replicas, and its totals would show a late write.
    """
    faults = make_faults(seed)
    print(*faults, sep="\n")  # noqa: T201 (pytest shows it if the test fails)
    with PostgreSqlServer() as server, ReplicaCluster(tmp_path, server) as replicas:
        cluster = FaultyCluster(replicas)
        replicas.until_jobs_counted(JOBS)
        cluster.run(faults)
        replicas.until_owned(NAMES)
        cluster.fail_over()
        for name in NAMES[1:]:
            assert replicas.stop(name) == 0
        replicas.until_owned(NAMES[0])
        replicas.check_totals()
