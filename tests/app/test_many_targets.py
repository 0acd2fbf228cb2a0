"""The running program against whole organisations: accounts, troubles in parts of them, and what comes and goes."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator.api import SECRET_MARKER
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from tests.support.harness import Program, eventually, serve

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
INFO = "qbusiness_data_source_info"


def account_fleet(account: str, applications: int, indexes: int, sources: int) -> Fleet:
    """Build an account with so many applications and indexes in all, and data sources spread over them."""
    fleet = Fleet([SimulatedApplication(f"app-{account[0]}-{n}") for n in range(applications)], account=account)
    places = [SimulatedIndex(f"index-{account[0]}-{n}") for n in range(indexes)]
    for number, index in enumerate(places):
        fleet.applications[number % applications].indexes.append(index)
    for number in range(sources):
        name = f"source-{account[0]}-{number}"
        job = PlannedJob(make_id("job", name), time.time() - 3600, 60, 30, documents={"added": number})
        schedule = "cron(0 3 * * ? *)" if number % 2 else ""
        places[number % indexes].data_sources.append(SimulatedDataSource(name, schedule=schedule, jobs=[job]))
    return fleet


def config(state: Path | str, *targets: dict[str, Any], **polling: object) -> dict[str, Any]:
    """Build a configuration that looks round fast."""
    pace = {"interval": "100ms", "idle_interval": "2s", "requests_per_second": 500, "timeout": "2s"}
    return {"targets": list(targets), "polling": {**pace, **polling}, "state": {"path": str(state)}}


def target(service: SimulatedQBusiness, interval: str = "200ms", **more: Any) -> dict[str, Any]:
    """Build a target that finds what a simulated service has."""
    discovery = {"interval": interval, **more.pop("discovery", {})}
    return {"name": "test", "region": "us-east-1", "endpoint_url": service.url, "discovery": discovery, **more}


def small_fleet(*sources: SimulatedDataSource) -> Fleet:
    """Put data sources into one index of one application."""
    return Fleet([SimulatedApplication("intranet", [SimulatedIndex("main", list(sources))])])


def shown(program: Program, **labels: str) -> float:
    """Count the data sources that are shown and have been polled."""
    return program.scrape().value("qbusiness_poll_success", **labels) or 0.0


def log_lines(program: Program, *words: str) -> list[str]:
    """Give the lines of the log that have all of these words."""
    return [line for line in list(program.log) if all(word in line for word in words)]


@pytest.mark.trial
def test_an_organisation_is_watched_but_for_what_is_in_trouble(tmp_path: Path) -> None:
    """3 accounts, 12 applications, 40 indexes, 600 sources: one application denied, one account's credentials expired.

    Everything else is monitored, both troubles are in the metrics and once in the log, and a steady round asks for no
    source by itself.
    """
    shapes = ((4, 14, 200), (4, 13, 200), (4, 13, 200))
    fleets = [account_fleet(account, *shape) for account, shape in zip(ACCOUNTS, shapes, strict=True)]
    denied = fleets[0].applications[2]
    lost = sum(len(index.data_sources) for index in denied.indexes)
    with ExitStack() as stack:
        services = [stack.enter_context(SimulatedQBusiness(fleet)) for fleet in fleets]
        services[0].faults.add("denied", application_id=denied.id)
        services[2].faults.add("expired_token")
        targets = [
            target(service, "1s", name=f"account-{n}", role_arn=f"arn:aws:iam::{account}:role/reader")
            for n, (service, account) in enumerate(zip(services, ACCOUNTS, strict=True), start=1)
        ]
        program = stack.enter_context(serve(tmp_path, config(tmp_path / "state.db", *targets, idle_interval="30s")))
        eventually(lambda: shown(program) == 400 - lost, timeout=60)
        program.until_ready()
        eventually(
            lambda: program.scrape().value(
                "qbusiness_exporter_last_successful_discovery_timestamp_seconds", target="account-2"
            )
        )
        scrape = program.scrape()
        assert scrape.value(INFO) == 400 - lost
        assert scrape.value(INFO, aws_account_id=ACCOUNTS[1]) == 200
        assert scrape.value("qbusiness_sync_jobs", status="SUCCEEDED") == 400 - lost
        assert scrape.value("qbusiness_index_info") == 27 - len(denied.indexes)
        health = {
            name: [scrape.value(name, target=f"account-{n}") for n in (1, 2, 3)]
            for name in ("qbusiness_exporter_discovery_success", "qbusiness_exporter_data_sources")
        }
        assert health == {
            "qbusiness_exporter_discovery_success": [0, 1, 0],
            "qbusiness_exporter_data_sources": [200 - lost, 200, 0],
        }
        assert scrape.value("qbusiness_target_up", target="account-2", aws_account_id=ACCOUNTS[1]) == 1
        assert scrape.value("qbusiness_target_up", target="account-3", aws_account_id=ACCOUNTS[2]) == 0
        # Several rounds and polls later nothing has been asked again, and nothing said again.
        rounds = len(services[1].logged("ListApplications"))
        descriptions = [len(service.logged("GetDataSource")) for service in services]
        eventually(lambda: len(services[1].logged("ListApplications")) >= rounds + 3)
        assert [len(service.logged("GetDataSource")) for service in services] == descriptions == [200 - lost, 200, 0]
        assert len(log_lines(program, "account-1", "level=warn")) == 1
        assert len(log_lines(program, "account-1", denied.id, "AccessDeniedException")) == 1
        assert len(log_lines(program, "account-3", "level=warn")) == 1
        assert len(log_lines(program, "account-3", "ExpiredTokenException")) == 1
        # Both are over at some time.
        for service in services:
            service.faults.clear()
        eventually(lambda: shown(program) == 600, timeout=60)
        eventually(lambda: program.scrape().value("qbusiness_exporter_discovery_success") == 3)
        assert SECRET_MARKER not in program.get("/metrics")[1] + "".join(program.log)
        assert program.stop() == 0
        assert SECRET_MARKER.encode() not in (tmp_path / "state.db").read_bytes()


def test_a_new_source_appears_and_its_jobs_since_the_beginning_count(tmp_path: Path) -> None:
    """Within an interval; a source that is no longer listed goes, and no error makes one go."""
    fleet = small_fleet(SimulatedDataSource("old"))
    with SimulatedQBusiness(fleet) as service, serve(tmp_path, config(":memory:", target(service))) as program:
        eventually(lambda: shown(program) == 1)
        time.sleep(
            2.5
        )  # AWS's clock is good to a second, and to be sure counting begins a second after the first answer
        ended = PlannedJob(make_id("job"), time.time() - 0.2, 0.05, 0.05, documents={"added": 3})
        fleet.applications[0].indexes[0].data_sources.append(SimulatedDataSource("new", jobs=[ended]))
        eventually(lambda: shown(program) == 2)
        scrape = program.scrape()
        assert scrape.value("qbusiness_sync_jobs_completed_total", data_source="new", status="SUCCEEDED") == 1
        assert scrape.value("qbusiness_documents_added_total", data_source="new") == 3
        assert log_lines(program, "data source found", "data_source=new")
        service.faults.add("server_error")
        eventually(lambda: program.scrape().value("qbusiness_exporter_discovery_success") == 0)
        eventually(lambda: shown(program) == 0)
        assert program.scrape().value(INFO) == 2
        service.faults.clear()
        del fleet.applications[0].indexes[0].data_sources[0]
        eventually(lambda: program.scrape().value(INFO) == 1)
        body = program.get("/metrics")[1]
        assert 'data_source="old"' not in body
        assert program.scrape().value("qbusiness_exporter_data_sources") == 1
        assert log_lines(program, "data source removed", "data_source=old")


def test_a_restart_in_an_outage_loses_no_series(tmp_path: Path) -> None:
    """What was found is remembered, and shown as stale; nothing is asked again when the outage is over."""
    fleet = small_fleet(
        SimulatedDataSource("hr", schedule="cron(0 3 * * ? *)"), SimulatedDataSource("wiki", tags={"team": "it"})
    )
    more: dict[str, Any] = {"discovery": {"tag_labels": ["team"], "exclude": [{"tags": {"team": "none"}}]}}
    with SimulatedQBusiness(fleet) as service:
        with serve(tmp_path, config(tmp_path / "state.db", target(service, **more))) as program:
            eventually(lambda: program.scrape().value(INFO) == 2)
            program.stop()
        described = len(service.logged("GetDataSource"))
        service.faults.add("server_error")
        with serve(tmp_path, config(tmp_path / "state.db", target(service, **more))) as program:
            eventually(lambda: program.scrape().value(INFO, tag_team="it", aws_account_id="111122223333") == 1)
            scrape = program.scrape()
            assert scrape.value("qbusiness_data_source_schedule_valid") == 1
            eventually(lambda: shown(program) == 0)
            assert program.get("/-/ready")[0] == 503
            service.faults.clear()
            eventually(lambda: shown(program) == 2)
            program.until_ready()
        assert len(service.logged("GetDataSource")) == described


def test_the_first_scrape_after_a_restart_has_everything(tmp_path: Path) -> None:
    """As it was, and as old as it is, before AWS was asked anything: no alert begins anew, no series has a gap."""
    with SimulatedQBusiness(small_fleet(*(SimulatedDataSource(f"hr-{number}") for number in range(20)))) as service:
        ended = PlannedJob("e" * 36, time.time() - 300, 100, 100, documents={"added": 7})
        for _, _, source in service.fleet.data_sources():
            source.jobs = [ended]
        with serve(tmp_path, config(tmp_path / "state.db", target(service))) as program:
            eventually(lambda: shown(program) == 20)
            program.stop()
        slow = {**config(tmp_path / "state.db", target(service)), "polling": {"requests_per_second": 0.01}}
        with serve(tmp_path, slow) as program:
            scrape = program.scrape()
            assert scrape.value(INFO, aws_account_id="111122223333") == 20
            assert scrape.value("qbusiness_last_completed_sync_documents_added") == 140
            assert scrape.value("qbusiness_last_successful_poll_timestamp_seconds") is not None
            assert scrape.value("qbusiness_poll_success") in {None, 1}


def test_two_targets_that_see_the_same_poll_it_once(tmp_path: Path) -> None:
    """With a warning, by the first of them."""
    with SimulatedQBusiness(small_fleet(SimulatedDataSource("hr"), SimulatedDataSource("it"))) as service:
        twins = [target(service, name="first"), target(service, name="second", profile="other")]
        (tmp_path / "aws").write_text("[profile other]\naws_access_key_id = x\naws_secret_access_key = y\n")
        own = {"AWS_CONFIG_FILE": str(tmp_path / "aws")}
        with serve(tmp_path, config(":memory:", *twins), **own) as program:
            program.until_ready()
            eventually(lambda: len(log_lines(program, "found by two targets")) == 2)
            scrape = program.scrape()
            counts = [scrape.value("qbusiness_exporter_data_sources", target=name) for name in ("first", "second")]
            assert sorted(count or 0 for count in counts) in ([0, 2], [1, 1])
            assert scrape.value(INFO) == 2


def test_a_target_that_cannot_be_reached_touches_no_other(tmp_path: Path) -> None:
    """A wrong region, as a name that nobody knows."""
    with SimulatedQBusiness(small_fleet(SimulatedDataSource("hr"))) as service:
        lost = {"name": "lost", "region": "us-west-2", "endpoint_url": "http://qbusiness.nowhere.invalid"}
        with serve(tmp_path, config(":memory:", target(service), lost, timeout="500ms")) as program:
            eventually(lambda: shown(program) == 1)
            program.until_ready()
            eventually(lambda: program.scrape().value("qbusiness_target_up", target="lost") == 0)
            scrape = program.scrape()
            assert scrape.value("qbusiness_target_up", target="test") == 1
            assert scrape.value("qbusiness_exporter_discovery_success", target="lost") == 0
            assert len(log_lines(program, "target=lost", "level=warn")) == 1


def test_named_sources_are_described_and_keep_their_names(tmp_path: Path) -> None:
    """Beside what is found: a configured name and labels win, the type and schedule are AWS's."""
    source = SimulatedDataSource("hr", "SHAREPOINTV2", schedule="cron(0 3 * * ? *)")
    fleet = small_fleet(source, SimulatedDataSource("found"))
    with SimulatedQBusiness(fleet) as service:
        ids = {"application_id": fleet.applications[0].id, "index_id": fleet.applications[0].indexes[0].id}
        named = {**ids, "data_source_id": source.id, "name": "people", "labels": {"team": "hr"}}
        with serve(tmp_path, config(":memory:", target(service, data_sources=[named]))) as program:
            eventually(lambda: program.scrape().value(INFO) == 2)
            scrape = program.scrape()
            labels = {"data_source": "people", "label_team": "hr", "index": "main", "schedule": "cron(0 3 * * ? *)"}
            assert scrape.value(INFO, **labels, data_source_type="SHAREPOINTV2", application="intranet") == 1
            assert scrape.value(INFO, data_source="found", schedule="") == 1
            assert scrape.value("qbusiness_data_source_schedule_valid") == 1


def test_an_empty_account_is_ready_and_says_so(tmp_path: Path) -> None:
    """Nothing to watch is not a failure."""
    with SimulatedQBusiness(Fleet([])) as service, serve(tmp_path, config(":memory:", target(service))) as program:
        program.until_ready()
        assert program.scrape().value("qbusiness_exporter_data_sources") == 0
        assert program.scrape().value("qbusiness_exporter_discovery_success") == 1


def test_it_runs_without_any_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own region, credentials and endpoint; what is there is found."""
    monkeypatch.chdir(tmp_path)
    with SimulatedQBusiness(small_fleet(SimulatedDataSource("hr"))) as service:
        env = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": service.url}
        with Program([], env) as program:
            program.until_ready()
            assert program.scrape().value(INFO, aws_region="us-east-1", aws_account_id="111122223333") == 1
            program.stop()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.db", "state.db.lock"]
