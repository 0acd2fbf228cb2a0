"""A replica on a real database, as an operator and Prometheus see it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import NEW_INTERPRETER, config_for, eventually, fleet_of, serve
from tests.support.oracle import busy_source
from tests.support.program_process import ProgramProcess
from tests.support.request_log import logged_requests
from tests.support.state_files import KEY, make_history
from tests.support.stepped_replica import SteppedReplica, key, target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.harness import Program
    from tests.support.postgresql import PostgreSqlServer

OWNED, READABLE = "qbusiness_exporter_target_owned", "qbusiness_exporter_target_state_readable"
NAMES = ("first", "second")
JOBS = "ListDataSourceSyncJobs"
POLLS = 10
UNREADABLE = "target first is not polled: its state cannot be read (DecodeError"
SILENT_DNS = """
import socket
import time

resolve = socket.getaddrinfo


def resolve_late(host, *arguments, **options):
    if host == "db.internal":
        time.sleep(600)
    return resolve(host, *arguments, **options)


socket.getaddrinfo = resolve_late
"""
OTHER = "http://other.example:10142/base"
TAKE_FIRST = f"""
INSERT INTO replica VALUES ('other id', 'other', '{OTHER}', clock_timestamp() + interval '15 s', '{{}}');
UPDATE target SET owner = 'other id', epoch = epoch + 1 WHERE key = '{key(0)}'
"""  # noqa: S608 (constants)


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


def about_exporter(program: Program) -> Any:
    """Return the part of the JSON API about the exporter itself."""
    return json.loads(program.get("/api/v1/data-sources")[1])["exporter"]


def test_each_replica_shows_and_links_to_the_others(
    program: Program, postgresql: PostgreSqlServer, database: str
) -> None:
    """The page, the JSON and the metrics have the owner of each target."""
    with program:
        program.until_ready()
        postgresql.execute(TAKE_FIRST, database)
        eventually(lambda: len(about_exporter(program)["replicas"]) == 2)
        replicas = sorted(
            (each["this"], each["address"], each["targets"]) for each in about_exporter(program)["replicas"]
        )
        assert replicas == [(False, OTHER, [key(0)]), (True, "", [key(1)])]
        page = program.get("/")[1]
        assert f'<a href="{OTHER}/">other</a>' in page
        assert [f"<code>{key(number)}</code>" in page for number in (0, 1)] == [True, True]
        eventually(lambda: [program.scrape().value(OWNED, target=name) for name in NAMES] == [0, 1])


def test_a_target_that_another_replica_has_with_other_settings_is_reported(program: Program, database: str) -> None:
    """Both replicas have the account of the first target, each under its own name. Only one of them polls it."""
    with program, SteppedReplica(database, "other", replace(target(0), name="wiki"), target(1)) as other:
        program.until_ready()
        other.beat()
        eventually(lambda: program.log_lines("level=warn", "different targets or settings", key(0)))
        problem = f"The configurations of the replicas differ in target {key(0)} and 1 more"
        eventually(lambda: any(problem in each["text"] for each in about_exporter(program)["problems"]))
        assert problem in program.get("/")[1]


@pytest.mark.trial  # waits for as long as a stop may take
def test_a_stop_takes_less_than_five_seconds_while_aws_and_the_database_are_away(
    tmp_path: Path, postgresql: PostgreSqlServer, database: str
) -> None:
    """Polls hang, the last counts cannot be written, and the log has the number of their data sources."""
    source = busy_source("hr", time.time())
    with SimulatedEndpoint(fleet_of(source)) as service:
        config = {**config_for(service, ":memory:", timeout="60s"), "state": {"url": database}}
        with serve(tmp_path, config) as program:
            program.until_ready()
            postgresql.close_database(database)
            eventually(lambda: program.scrape().value("qbusiness_exporter_state_up") == 0)
            before = logged_requests(service, JOBS)
            service.faults.add("hang", operation=JOBS)
            eventually(lambda: len(logged_requests(service, JOBS)) > len(before))
            signalled_at = time.monotonic()
            assert program.stop() == 0
            assert time.monotonic() - signalled_at < 5
            assert "data_sources=1" in program.log_lines("last changes not written")[0]


@pytest.mark.trial  # waits for as long as a stop may take
def test_a_stop_takes_less_than_five_seconds_while_the_start_waits_for_the_database(tmp_path: Path) -> None:
    """The database accepts the connection and does not respond. The program does not listen yet."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service,
    ):
        url = f"postgresql://exporter@127.0.0.1:{silent.getsockname()[1]}/exporter"
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({**config_for(service, ":memory:"), "state": {"url": url}}))
        process = ProgramProcess(["serve", "--config.file", str(path)], tmp_path, os.environ)
        connection, _ = silent.accept()
        with connection:
            signalled_at = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate()
        assert process.wait() == 0, log
        assert time.monotonic() - signalled_at < 5


@pytest.mark.trial  # waits for as long as an attempt to connect may take
def test_the_program_listens_and_stops_in_time_while_dns_does_not_respond(program: Program, tmp_path: Path) -> None:
    """It is healthy and not ready, and reports why."""
    (tmp_path / "sitecustomize.py").write_text(SILENT_DNS)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    config["state"]["url"] = config["state"]["url"].replace("127.0.0.1", "db.internal")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    program.command, program.env = NEW_INTERPRETER, {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    with program:
        assert program.get("/-/healthy")[0] == 200
        status, reason = program.get("/-/ready")
        assert (status, "the DNS server" in reason) == (503, True)
        assert program.scrape().value("qbusiness_exporter_state_up") == 0
        signalled_at = time.monotonic()
        assert program.stop() == 0
        assert time.monotonic() - signalled_at < 5


def test_polls_that_change_nothing_commit_nothing(
    program: Program, postgresql: PostgreSqlServer, database: str
) -> None:
    """After the first polls, more polls leave the revisions of the targets as they are."""

    def revisions() -> list[tuple[Any, ...]]:
        return postgresql.execute("SELECT key, revision FROM target ORDER BY key", database)

    def polls() -> float:
        return program.scrape().value("qbusiness_exporter_polls_total") or 0.0

    def are_constant() -> bool:
        before, until = revisions(), polls() + POLLS
        eventually(lambda: polls() >= until)
        return revisions() == before

    with program:
        program.until_ready()
        eventually(are_constant)


def test_a_target_with_damaged_rows_is_reported(program: Program, postgresql: PostgreSqlServer, database: str) -> None:
    """It has no series, so that its counters do not start over. Metrics, page and log have the reason."""
    with SteppedReplica(database, "earlier", target(0)) as replica:
        replica.beat()
        replica.partition(0).commit({KEY: make_history(1)})
        replica.coordinator.leave()
    postgresql.execute("UPDATE source SET totals = '{'", database)
    with program:
        eventually(lambda: program.scrape().value("qbusiness_poll_success", data_source="second"))
        scrape = program.scrape()
        assert [scrape.value(READABLE, target=name) for name in NAMES] == [0, 1]
        assert [scrape.value(OWNED, target=name) for name in NAMES] == [0, 1]
        assert scrape.value("qbusiness_poll_success", data_source="first") is None
        status, reason = program.get("/-/ready")
        assert (status, reason[: len(UNREADABLE)]) == (503, UNREADABLE)
        assert program.get("/-/healthy")[0] == 200
        assert len(program.until_logged("level=error", "state of the target unreadable, not polling it", key(0))) == 1
        problem = "Target first is not polled: its state in postgresql://"
        page = program.get("/")[1]
        assert problem in page
        assert "/runbooks/QBusinessTargetNotPolled" in page
        assert any(problem in each["text"] for each in about_exporter(program)["problems"])
