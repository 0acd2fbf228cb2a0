"""Commands that only read the state in a database: they create nothing in it, and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, fleet_of
from tests.support.oneshot import run
from tests.support.program_process import run_command
from tests.support.state_files import make_history
from tests.support.stepped_replica import SteppedReplica, target

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgresql import PostgreSqlServer

NO_STATE = "database has no state yet, counters start at 0 until an exporter has used it"
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"


@pytest.fixture
def service() -> Iterator[SimulatedEndpoint]:
    """Serve an organization with one data source."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        yield service


def read_state(
    service: SimulatedEndpoint, tmp_path: Path, database: str, command: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with the state in a database."""
    config: dict[str, Any] = {**config_for(service, ":memory:"), "state": {"url": database}}
    config["targets"][0]["role_arn"] = f"arn:aws:iam::{1:012}:role/qbusiness-exporter"
    return run(service, tmp_path, command, text=yaml.safe_dump(config))


def save_history(service: SimulatedEndpoint, database: str) -> str:
    """Save a history of the data source as a replica does; return its key."""
    ((application, index, source),) = service.fleet.data_sources()
    name = f"{application.id}/{index.id}/{source.id}"
    with SteppedReplica(database, "owner", target(1)) as replica:
        replica.beat()
        replica.partition().commit({name: make_history(3)})
        replica.coordinator.leave()
    return name


@pytest.mark.parametrize("command", ["export", "backfill"])
def test_an_empty_database_stays_empty(
    service: SimulatedEndpoint, tmp_path: Path, postgresql: PostgreSqlServer, database: str, command: str
) -> None:
    """The command continues without state, and logs a warning."""
    done = read_state(service, tmp_path, database, command)
    assert done.returncode == 0, done.stderr
    assert NO_STATE in done.stderr
    assert postgresql.execute(TABLES, database) == []


def test_a_copy_of_an_empty_database_is_refused(tmp_path: Path, postgresql: PostgreSqlServer, database: str) -> None:
    """The operator has most likely named another database than that of the exporter."""
    copy = tmp_path / "state.db"
    done = run_command("state", "copy", database, str(copy))
    assert (done.returncode, copy.exists()) == (1, False)
    assert "has no state: name the state.url of the exporter" in done.stderr
    assert postgresql.execute(TABLES, database) == []


def test_a_role_that_may_only_read_is_enough(
    service: SimulatedEndpoint, tmp_path: Path, postgresql: PostgreSqlServer, database: str
) -> None:
    """The counters continue from the rows of the replicas."""
    save_history(service, database)
    name = database.rpartition("/")[2]
    postgresql.execute(f"CREATE ROLE viewer_{name} LOGIN PASSWORD 'viewer'")
    postgresql.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO viewer_{name}", database)
    done = read_state(service, tmp_path, postgresql.url(name, f"viewer_{name}", "viewer"), "export")
    assert done.returncode == 0, done.stderr
    assert NO_STATE not in done.stderr
    (failed,) = (line for line in done.stdout.splitlines() if "jobs_completed_total{" in line and "FAILED" in line)
    assert failed.endswith(" 3.0"), failed


def test_tables_of_an_earlier_release_are_not_migrated(
    service: SimulatedEndpoint, tmp_path: Path, postgresql: PostgreSqlServer, database: str
) -> None:
    """The replicas of that release may still be running."""
    save_history(service, database)
    postgresql.execute("UPDATE exporter_schema SET version = version - 1", database)
    before = postgresql.execute("SELECT * FROM exporter_schema", database)
    done = read_state(service, tmp_path, database, "export")
    assert (done.returncode, done.stdout) == (1, "")
    assert "start an exporter of this release, which migrates them" in done.stderr
    assert postgresql.execute("SELECT * FROM exporter_schema", database) == before
