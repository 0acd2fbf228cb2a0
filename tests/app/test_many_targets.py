"""The running program with several accounts: partial failures, added and removed sources, restarts in an outage."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.qbusiness import SECRET_MARKER
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import Program, eventually, serve
from tests.support.manual_clock import ManualClock
from tests.support.request_log import logged_requests

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
INFO = "qbusiness_data_source_info"


def account_fleet(account: str, applications: int, indexes: int, sources: int) -> Fleet:
    """Build an account with these numbers of applications, indexes and data sources, evenly distributed."""
    fleet = Fleet([SimulatedApplication(f"app-{account[0]}-{n}") for n in range(applications)], account=account)
    simulated_indexes = [SimulatedIndex(f"index-{account[0]}-{n}") for n in range(indexes)]
    for number, index in enumerate(simulated_indexes):
        fleet.applications[number % applications].indexes.append(index)
    for number in range(sources):
        name = f"source-{account[0]}-{number}"
        job = PlannedJob(make_id("job", name), time.time() - 3600, 60, 30, documents={"added": number})
        schedule = "cron(0 3 * * ? *)" if number % 2 else ""
        source = SimulatedDataSource(name, schedule=schedule, jobs=[job])
        simulated_indexes[number % indexes].data_sources.append(source)
    return fleet


def config(state: Path | str, *targets: dict[str, Any], **polling: object) -> dict[str, Any]:
    """Build a configuration with short intervals."""
    fast = {"interval": "100ms", "idle_interval": "2s", "requests_per_second": 500, "timeout": "2s"}
    return {"targets": list(targets), "polling": {**fast, **polling}, "state": {"path": str(state)}}


def target(service: SimulatedEndpoint, interval: str = "200ms", **more: Any) -> dict[str, Any]:
    """Build a target that discovers the sources of a simulated service."""
    discovery = {"interval": interval, **more.pop("discovery", {})}
    return {"name": "test", "region": "us-east-1", "endpoint_url": service.url, "discovery": discovery, **more}


def small_fleet(*sources: SimulatedDataSource) -> Fleet:
    """Build a fleet with data sources in one index of one application."""
    return Fleet([SimulatedApplication("intranet", [SimulatedIndex("main", list(sources))])])


def polled(program: Program) -> float:
    """Return the number of data sources whose last poll succeeded."""
    return program.scrape().value("qbusiness_poll_success") or 0.0


@pytest.mark.trial
def test_a_denied_application_and_expired_credentials_affect_nothing_else(tmp_path: Path) -> None:
    """One of 12 applications is denied, and the credentials of one of three accounts have expired.

    All other sources of the 600 are polled. The metrics report both failures, and the log has one line for each. Later
    discovery runs send no request for a single source.
    """
    shapes = ((4, 14, 200), (4, 13, 200), (4, 13, 200))
    fleets = [account_fleet(account, *shape) for account, shape in zip(ACCOUNTS, shapes, strict=True)]
    denied = fleets[0].applications[2]
    denied_sources = sum(len(index.data_sources) for index in denied.indexes)
    with ExitStack() as stack:
        services = [stack.enter_context(SimulatedEndpoint(fleet)) for fleet in fleets]
        services[0].faults.add("denied", application_id=denied.id)
        services[2].faults.add("expired_token")
        targets = [
            target(service, "1s", name=f"account-{n}", role_arn=f"arn:aws:iam::{account}:role/reader")
            for n, (service, account) in enumerate(zip(services, ACCOUNTS, strict=True), start=1)
        ]
        program = stack.enter_context(serve(tmp_path, config(tmp_path / "state.db", *targets, idle_interval="30s")))
        eventually(lambda: polled(program) == 400 - denied_sources, timeout=60)
        program.until_ready()
        eventually(
            lambda: program.scrape().value(
                "qbusiness_exporter_last_successful_discovery_timestamp_seconds", target="account-2"
            )
        )
        scrape = program.scrape()
        assert scrape.value(INFO) == 400 - denied_sources
        assert scrape.value(INFO, aws_account_id=ACCOUNTS[1]) == 200
        assert scrape.value("qbusiness_sync_jobs", status="SUCCEEDED") == 400 - denied_sources
        assert scrape.value("qbusiness_index_info") == 27 - len(denied.indexes)
        health = {
            name: [scrape.value(name, target=f"account-{n}") for n in (1, 2, 3)]
            for name in ("qbusiness_exporter_discovery_success", "qbusiness_exporter_data_sources")
        }
        assert health == {
            "qbusiness_exporter_discovery_success": [0, 1, 0],
            "qbusiness_exporter_data_sources": [200 - denied_sources, 200, 0],
        }
        assert scrape.value("qbusiness_exporter_target_up", target="account-2") == 1
        assert scrape.value("qbusiness_exporter_target_info", target="account-2", aws_account_id=ACCOUNTS[1]) == 1
        assert scrape.value("qbusiness_exporter_target_up", target="account-3") == 0
        assert scrape.value("qbusiness_exporter_target_info", target="account-3", aws_account_id=ACCOUNTS[2]) == 1
        # Further runs and polls neither request descriptions nor log lines again.
        runs = len(logged_requests(services[1], "ListApplications"))
        descriptions = [len(logged_requests(service, "GetDataSource")) for service in services]
        eventually(lambda: len(logged_requests(services[1], "ListApplications")) >= runs + 3)
        assert (
            [len(logged_requests(service, "GetDataSource")) for service in services]
            == descriptions
            == [200 - denied_sources, 200, 0]
        )
        assert len(program.until_logged("account-1", denied.id, "AccessDeniedException")) == 1
        assert len(program.log_lines("account-1", "level=warn")) == 1
        assert len(program.until_logged("account-3", "ExpiredTokenException")) == 1
        assert len(program.log_lines("account-3", "level=warn")) == 1
        for service in services:
            service.faults.clear()
        eventually(lambda: polled(program) == 600, timeout=60)
        eventually(lambda: program.scrape().value("qbusiness_exporter_discovery_success") == 3)
        assert SECRET_MARKER not in program.get("/metrics")[1] + "".join(program.log)
        assert program.stop() == 0
        assert SECRET_MARKER.encode() not in (tmp_path / "state.db").read_bytes()


@pytest.mark.trial
def test_a_new_source_is_found_and_its_earlier_jobs_count(tmp_path: Path) -> None:
    """Its jobs count since its creation. An error removes no source, a listing without it does."""
    fleet, clock = small_fleet(SimulatedDataSource("old")), ManualClock(time.time())
    with SimulatedEndpoint(fleet, clock) as service, serve(tmp_path, config(":memory:", target(service))) as program:
        eventually(lambda: polled(program) == 1)
        # AWS's clock has a resolution of one second, so jobs count from one second after the first response.
        now = time.time() + 2.5
        clock.set(now)
        ended = PlannedJob(make_id("job"), now - 0.2, 0.05, 0.05, documents={"added": 3})
        new = SimulatedDataSource("new", created=now - 0.5, jobs=[ended])
        fleet.applications[0].indexes[0].data_sources.append(new)
        eventually(lambda: polled(program) == 2)
        scrape = program.scrape()
        assert scrape.value("qbusiness_sync_jobs_completed_total", data_source="new", status="SUCCEEDED") == 1
        assert scrape.value("qbusiness_documents_added_total", data_source="new") == 3
        program.until_logged("data source found", "data_source=new")
        service.faults.add("server_error")
        eventually(lambda: program.scrape().value("qbusiness_exporter_discovery_success") == 0)
        eventually(lambda: polled(program) == 0)
        assert program.scrape().value(INFO) == 2
        service.faults.clear()
        del fleet.applications[0].indexes[0].data_sources[0]
        eventually(lambda: program.scrape().value(INFO) == 1)
        body = program.get("/metrics")[1]
        assert 'data_source="old"' not in body
        assert program.scrape().value("qbusiness_exporter_data_sources") == 1
        program.until_logged("data source removed", "data_source=old")


def test_a_restart_in_an_outage_loses_no_series(tmp_path: Path) -> None:
    """Saved sources are exposed as failing. After the outage no description is requested again."""
    fleet = small_fleet(
        SimulatedDataSource("hr", schedule="cron(0 3 * * ? *)"), SimulatedDataSource("wiki", tags={"team": "it"})
    )
    more: dict[str, Any] = {"discovery": {"tag_labels": ["team"], "exclude": [{"tags": {"team": "none"}}]}}
    with SimulatedEndpoint(fleet) as service:
        with serve(tmp_path, config(tmp_path / "state.db", target(service, **more))) as program:
            eventually(lambda: program.scrape().value(INFO) == 2)
            program.stop()
        described = len(logged_requests(service, "GetDataSource"))
        service.faults.add("server_error")
        with serve(tmp_path, config(tmp_path / "state.db", target(service, **more))) as program:
            eventually(lambda: program.scrape().value(INFO, tag_team="it", aws_account_id="111122223333") == 1)
            scrape = program.scrape()
            assert scrape.value("qbusiness_data_source_schedule_valid") == 1
            eventually(lambda: polled(program) == 0)
            assert program.get("/-/ready")[0] == 503
            service.faults.clear()
            eventually(lambda: polled(program) == 2)
            program.until_ready()
        assert len(logged_requests(service, "GetDataSource")) == described


def test_the_first_scrape_after_a_restart_is_complete(tmp_path: Path) -> None:
    """It has the saved values. So no alert is reset, and no series has a gap."""
    with SimulatedEndpoint(small_fleet(*(SimulatedDataSource(f"hr-{number}") for number in range(20)))) as service:
        ended = PlannedJob("e" * 36, time.time() - 300, 100, 100, documents={"added": 7})
        for _, _, source in service.fleet.data_sources():
            source.jobs = [ended]
        with serve(tmp_path, config(tmp_path / "state.db", target(service))) as program:
            eventually(lambda: polled(program) == 20)
            program.stop()
        slow = {**config(tmp_path / "state.db", target(service)), "polling": {"requests_per_second": 0.01}}
        with serve(tmp_path, slow) as program:
            scrape = program.scrape()
            assert scrape.value(INFO, aws_account_id="111122223333") == 20
            assert scrape.value("qbusiness_last_completed_sync_documents_added") == 140
            assert scrape.value("qbusiness_last_successful_poll_timestamp_seconds") is not None
            assert scrape.value("qbusiness_poll_success") in {None, 1}


def test_a_source_of_two_targets_is_polled_by_one(tmp_path: Path) -> None:
    """A warning names each such source."""
    with SimulatedEndpoint(small_fleet(SimulatedDataSource("hr"), SimulatedDataSource("it"))) as service:
        targets = [target(service, name="first"), target(service, name="second", profile="other")]
        (tmp_path / "aws").write_text("[profile other]\naws_access_key_id = x\naws_secret_access_key = y\n")
        env = {"AWS_CONFIG_FILE": str(tmp_path / "aws")}
        with serve(tmp_path, config(":memory:", *targets), **env) as program:
            program.until_ready()
            assert len(program.until_logged("found by two targets", lines=2)) == 2
            scrape = program.scrape()
            counts = [scrape.value("qbusiness_exporter_data_sources", target=name) for name in ("first", "second")]
            assert sorted(count or 0 for count in counts) in ([0, 2], [1, 1])
            assert scrape.value(INFO) == 2


def test_an_unreachable_target_does_not_affect_others(tmp_path: Path) -> None:
    """The host name of its endpoint cannot be resolved."""
    with SimulatedEndpoint(small_fleet(SimulatedDataSource("hr"))) as service:
        unreachable = {"name": "unreachable", "region": "us-west-2", "endpoint_url": "http://qbusiness.nowhere.invalid"}
        with serve(tmp_path, config(":memory:", target(service), unreachable, timeout="500ms")) as program:
            eventually(lambda: polled(program) == 1)
            program.until_ready()
            eventually(lambda: program.scrape().value("qbusiness_exporter_target_up", target="unreachable") == 0)
            scrape = program.scrape()
            assert scrape.value("qbusiness_exporter_target_up", target="test") == 1
            assert scrape.value("qbusiness_exporter_discovery_success", target="unreachable") == 0
            assert len(program.until_logged("target=unreachable", "level=warn")) == 1


def test_a_named_source_has_its_configured_name_and_labels(tmp_path: Path) -> None:
    """Its type and schedule come from AWS. Discovery finds the other sources."""
    source = SimulatedDataSource("hr", "SHAREPOINTV2", schedule="cron(0 3 * * ? *)")
    fleet = small_fleet(source, SimulatedDataSource("found"))
    with SimulatedEndpoint(fleet) as service:
        ids = {"application_id": fleet.applications[0].id, "index_id": fleet.applications[0].indexes[0].id}
        named = {**ids, "data_source_id": source.id, "name": "people", "labels": {"team": "hr"}}
        with serve(tmp_path, config(":memory:", target(service, data_sources=[named]))) as program:
            eventually(lambda: program.scrape().value(INFO) == 2)
            scrape = program.scrape()
            labels = {"data_source": "people", "label_team": "hr", "index": "main", "schedule": "cron(0 3 * * ? *)"}
            assert scrape.value(INFO, **labels, data_source_type="SHAREPOINTV2", application="intranet") == 1
            assert scrape.value(INFO, data_source="found", schedule="") == 1
            assert scrape.value("qbusiness_data_source_schedule_valid") == 1


def test_an_empty_account_is_ready_and_reported(tmp_path: Path) -> None:
    """Discovery succeeds, and the log, the metrics and the status page report that nothing is monitored."""
    with SimulatedEndpoint(Fleet([])) as service, serve(tmp_path, config(":memory:", target(service))) as program:
        program.until_ready()
        scrape = program.scrape()
        assert scrape.value("qbusiness_exporter_data_sources") == 0
        assert scrape.value("qbusiness_exporter_discovered_data_sources") == 0
        assert scrape.value("qbusiness_exporter_discovery_success") == 1
        assert scrape.value("qbusiness_exporter_target_up") == 1
        (line,) = program.until_logged("no data sources to watch")
        assert "account=111122223333" in line
        assert "region=us-east-1" in line
        assert "Target test has no data sources: nothing is monitored." in program.get("/")[1]


def test_a_target_is_down_from_the_first_scrape_until_a_request_succeeds(tmp_path: Path) -> None:
    """Its series do not appear or change their labels later, so an alert on them can fire."""
    with SimulatedEndpoint(small_fleet(SimulatedDataSource("hr"))) as service:
        hang = service.faults.add("hang")
        with serve(tmp_path, config(":memory:", target(service), timeout="60s")) as program:
            scrape = program.scrape()
            assert scrape.value("qbusiness_exporter_target_up", target="test") == 0
            assert scrape.value("qbusiness_exporter_discovery_success", target="test") == 0
            assert scrape.value("qbusiness_exporter_data_sources", target="test") == 0
            assert scrape.value("qbusiness_exporter_target_info", aws_region="us-east-1", service="qbusiness") == 1
            service.faults.remove(hang)
            service.drop_connections()
            eventually(lambda: program.scrape().value("qbusiness_exporter_target_up", target="test") == 1)
            assert program.scrape().value("qbusiness_exporter_target_info", target="test") == 1


def test_the_program_runs_without_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK provides the region, the credentials and the endpoint, and discovery finds the sources."""
    monkeypatch.chdir(tmp_path)
    with SimulatedEndpoint(small_fleet(SimulatedDataSource("hr"))) as service:
        env = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": service.url}
        with Program([], env) as program:
            program.until_ready()
            assert program.scrape().value(INFO, aws_region="us-east-1", aws_account_id="111122223333") == 1
            program.stop()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.db"]
