"""A target whose rows in the database are damaged, as an operator and Prometheus see it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, eventually, fleet_of, serve
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.harness import Program
    from tests.support.postgresql import PostgreSqlServer

OWNED, READABLE = "qbusiness_exporter_target_owned", "qbusiness_exporter_target_state_readable"
NAMES = ("damaged", "intact")
REASON = "target damaged is not polled: its state cannot be read (JSONDecodeError"


@pytest.fixture
def program(tmp_path: Path, database: str) -> Iterator[Program]:
    """Yield an exporter, not started, with a data source in each of two targets."""
    services = [SimulatedEndpoint(fleet_of(SimulatedDataSource(name))) for name in NAMES]
    config = config_for(services[0], ":memory:")
    targets = [
        {
            **config_for(service, ":memory:")["targets"][0],
            "name": name,
            "role_arn": f"arn:aws:iam::{number:012}:role/qbusiness-exporter",
        }
        for number, (name, service) in enumerate(zip(NAMES, services, strict=True))
    ]
    with services[0], services[1]:
        yield serve(tmp_path, {**config, "targets": targets, "state": {"url": database}})


@pytest.fixture
def damaged(program: Program, postgresql: PostgreSqlServer, database: str) -> Iterator[Program]:
    """Yield the exporter, started on a state in which the rows of one target are damaged."""
    with SteppedReplica(database, "earlier", target(0)) as replica:
        replica.beat()
        replica.partition(0).commit({KEY: make_history(1)})
        replica.coordinator.leave()
    postgresql.execute("UPDATE source SET totals = '{'", database)
    with program:
        eventually(lambda: program.scrape().value("qbusiness_poll_success", data_source="intact"))
        yield program


def test_a_damaged_target_is_reported(damaged: Program) -> None:
    """It has no series, so that its counters do not start over. Metrics, page and log have the reason."""
    scrape = damaged.scrape()
    assert [scrape.value(READABLE, target=name) for name in NAMES] == [0, 1]
    assert [scrape.value(OWNED, target=name) for name in NAMES] == [0, 1]
    assert scrape.value("qbusiness_poll_success", data_source="damaged") is None
    status, reason = damaged.get("/-/ready")
    assert (status, reason[: len(REASON)]) == (503, REASON)
    assert damaged.get("/-/healthy")[0] == 200
    assert len(damaged.log_lines("level=error", "state of the target unreadable, not polling it", key(0))) == 1
    problem = "Target damaged is not polled: its state in postgresql://"
    page = damaged.get("/")[1]
    assert problem in page
    assert "/runbooks/QBusinessTargetNotPolled" in page
    assert any(
        problem in each["text"] for each in json.loads(damaged.get("/api/v1/data-sources")[1])["exporter"]["problems"]
    )
