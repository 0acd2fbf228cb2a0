"""The running program against the simulated service: what it shows, how it stops, what it says when it cannot start."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter import __version__
from exporter.simulator.clock import ScaledClock
from exporter.simulator.faults import FAULT_KINDS
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from tests.support.builders import HOUR
from tests.support.harness import Program, config_for, eventually, fleet_of, serve
from tests.support.manual_clock import ManualClock
from tests.support.oracle import CounterMonitor, busy_source, finish_jobs

if TYPE_CHECKING:
    from collections.abc import Iterator


ODD_FIGURES = {"negative_figures", "fractional_figures", "figures_in_words", "huge_figures", "unknown_error_code"}
ODD_ENDS = {"no_end", "end_in_the_future", "in_the_future"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Give a place for the state file."""
    return tmp_path / "state.db"


def test_a_job_is_shown_from_its_beginning_to_its_end(tmp_path: Path, state: Path) -> None:
    """Running with its progress, then ended with its figures, and counted once."""
    clock = ManualClock(time.time())
    source = SimulatedDataSource("hr")
    with SimulatedQBusiness(fleet_of(source), clock) as service, serve(tmp_path, config_for(service, state)) as program:
        program.until_ready()
        began = clock.advance(10)
        final = {"added": 100, "failed": 10, "scanned": 1000}
        source.jobs.append(PlannedJob(make_id(1), began, 60, 40, "INCOMPLETE", final))
        clock.advance(30)
        eventually(lambda: program.scrape().value("qbusiness_running_sync_documents_scanned") == 500)
        scrape = program.scrape()
        assert scrape.value("qbusiness_sync_status", status="SYNCING") == 1
        assert scrape.value("qbusiness_running_sync_start_timestamp_seconds") == pytest.approx(began, abs=0.001)
        assert scrape.value("qbusiness_documents_scanned_total") == 500
        assert scrape.value("qbusiness_last_completed_sync_duration_seconds") is None
        clock.advance(300)
        eventually(lambda: program.scrape().value("qbusiness_sync_jobs_completed_total", status="INCOMPLETE") == 1)
        scrape = program.scrape()
        identity = {"application": "intranet", "data_source": "hr", "data_source_id": source.id}
        assert scrape.value("qbusiness_sync_running", **identity) == 0
        assert scrape.value("qbusiness_running_sync_start_timestamp_seconds") is None
        assert scrape.value("qbusiness_last_completed_sync_duration_seconds", **identity) == 100
        assert scrape.value("qbusiness_last_completed_sync_documents_failed", **identity) == 10
        assert scrape.value("qbusiness_last_completed_sync_documents_modified", **identity) is None
        assert scrape.value("qbusiness_last_indexed_sync_timestamp_seconds") == pytest.approx(began + 100, abs=0.001)
        assert scrape.value("qbusiness_last_successful_sync_timestamp_seconds") is None
        assert scrape.value("qbusiness_sync_job_duration_seconds_count", status="INCOMPLETE") == 1
        assert any("sync job ended" in line and "status=INCOMPLETE" in line for line in program.log)


def test_what_ended_while_it_was_down_is_counted_when_it_is_back(tmp_path: Path, state: Path) -> None:
    """And what had ended before it first looked never is."""
    clock = ManualClock(time.time())
    source = SimulatedDataSource("hr", jobs=[PlannedJob(make_id("old"), clock.now() - HOUR, documents={"added": 5})])
    with SimulatedQBusiness(fleet_of(source), clock) as service:
        config = config_for(service, state)
        with serve(tmp_path, config) as program:
            program.until_ready()
            assert program.stop() == 0
        source.jobs += [PlannedJob(make_id(n), clock.now() + n * HOUR, documents={"added": 1}) for n in range(1, 31)]
        clock.advance(40 * HOUR)
        for _ in range(2):
            with serve(tmp_path, config) as program:
                program.until_ready()
                scrape = program.scrape()
                assert scrape.value("qbusiness_sync_jobs_completed_total", status="SUCCEEDED") == 30
                assert scrape.value("qbusiness_documents_added_total") == 30
                assert program.stop() == 0


def test_a_stop_sends_nothing_more_and_calls_nothing_failed(tmp_path: Path, state: Path) -> None:
    """What waits for the request budget ends with the program, within its seconds, and is nobody's failure."""
    sources = [SimulatedDataSource(f"source-{n}") for n in range(3)]
    with SimulatedQBusiness(fleet_of(*sources)) as service:
        config = config_for(service, state, requests_per_second=0.05)
        with serve(tmp_path, config) as program:
            eventually(service.logged)
            assert program.stop(timeout=5) == 0
        asked = len(service.logged())
        assert asked == 1
        assert not [line for line in program.log if "level=warn" in line or "level=error" in line]


@pytest.mark.trial
@pytest.mark.timeout(240)
def test_totals_are_the_truth_after_many_kills(tmp_path: Path, state: Path) -> None:
    """Killed at random moments while jobs begin, work and end, it counts each once, and no counter ever falls."""
    clock = ScaledClock()
    dice = random.Random(1)
    sources = [SimulatedDataSource(f"source-{n}") for n in range(4)]
    watcher = CounterMonitor()
    with SimulatedQBusiness(fleet_of(*sources), clock) as service:
        config = config_for(service, state)
        for life in range(14):
            with serve(tmp_path, config) as program:
                if life == 0:
                    program.until_ready()
                    for source in sources:
                        source.routine = busy_source(source.name, clock.now() + 1.5).routine
                moment = time.monotonic() + dice.uniform(0.0, 1.2)
                while time.monotonic() < moment:
                    watcher.scrape(program)
                program.kill()
        with serve(tmp_path, config) as program:
            assert finish_jobs(program, sources, clock) > 40


@pytest.mark.trial
def test_totals_are_the_truth_after_every_fault(tmp_path: Path, state: Path) -> None:
    """Whatever AWS answers for a while, in whatever sequence, nothing is lost and nothing is counted twice."""
    clock = ScaledClock()
    dice = random.Random(7)
    sources = [SimulatedDataSource(f"source-{n}") for n in range(4)]
    # These change what the jobs themselves are said to be, so that there is no one truth.
    harmless = sorted(set(FAULT_KINDS) - {"unknown_status", "end_before_start", *ODD_FIGURES, *ODD_ENDS})
    with (
        SimulatedQBusiness(fleet_of(*sources), clock) as service,
        serve(tmp_path, config_for(service, state, timeout="200ms")) as program,
    ):
        program.until_ready()
        for source in sources:
            source.routine = busy_source(source.name, clock.now() + 1.5).routine
        for kind in dice.sample(harmless, len(harmless)):
            victim = dice.choice([None, *(source.id for source in sources)])
            page, times = dice.choice([None, 1, 2]), dice.randint(1, 6)
            service.faults.add(kind, data_source_id=victim, page=page, times=times, until=clock.now() + 1, seconds=0.1)
            time.sleep(0.3)
        befallen = {request.fault for request in service.requests}
        service.faults.clear()
        assert finish_jobs(program, sources, clock) > 20
        assert len(befallen) > len(harmless) * 2 / 3
        failures = program.scrape().value("qbusiness_exporter_poll_failures_total") or 0
        assert failures > 20
        assert program.get("/-/healthy")[0] == 200


@pytest.mark.trial
@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
@pytest.mark.parametrize("reading", ["start", "overlap"])
def test_totals_are_the_truth_in_every_order_and_reading(tmp_path: Path, order: str, reading: str) -> None:
    """Whatever AWS does not promise."""
    clock = ScaledClock()
    sources = [SimulatedDataSource(f"source-{n}") for n in range(3)]
    with (
        SimulatedQBusiness(fleet_of(*sources), clock, order=order, time_filter=reading) as service,
        serve(tmp_path, config_for(service, ":memory:")) as program,
    ):
        program.until_ready()
        for source in sources:
            source.routine = busy_source(source.name, clock.now() + 1.5).routine
        time.sleep(6)
        assert finish_jobs(program, sources, clock) > 10


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[tuple[SimulatedQBusiness, Program]]:
    """Run against a service that answers names and then hangs."""
    sources = [SimulatedDataSource(f"source-{n}") for n in range(20)]
    with SimulatedQBusiness(fleet_of(*sources)) as service:
        service.faults.add("hang", operation="ListDataSourceSyncJobs")
        with serve(tmp_path, config_for(service, tmp_path / "state.db", timeout="60s")) as program:
            eventually(lambda: len(service.logged("ListDataSourceSyncJobs")) >= 8)
            yield service, program


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_within_five_seconds(hanging: tuple[SimulatedQBusiness, Program], number: int) -> None:
    """Even while every worker waits for an answer that will not come."""
    _, program = hanging
    began = time.monotonic()
    assert program.stop(number) == 0
    assert time.monotonic() - began < 5


def test_it_reloads_while_aws_hangs(hanging: tuple[SimulatedQBusiness, Program]) -> None:
    """Polls under way are not waited for."""
    _, program = hanging
    before = program.scrape().value("qbusiness_exporter_config_last_reload_success_timestamp_seconds")
    began = time.monotonic()
    config = Path(program.arguments[2])
    config.write_text(config.read_text().replace("timeout: 60s", "timeout: 61s"))
    program.process.send_signal(signal.SIGHUP)
    after = "qbusiness_exporter_config_last_reload_success_timestamp_seconds"
    eventually(lambda: program.scrape().value(after) != before)
    assert time.monotonic() - began < 3
    assert program.get("/-/healthy")[0] == 200


def test_scrapes_never_wait_for_polls(hanging: tuple[SimulatedQBusiness, Program]) -> None:
    """The page answers at once while AWS does not; readiness says why it is withheld."""
    _, program = hanging
    began = time.monotonic()
    scrape = program.scrape()
    assert time.monotonic() - began < 1
    assert scrape.value("qbusiness_exporter_data_sources") == 20
    assert program.get("/-/healthy")[0] == 200
    assert program.get("/-/ready") == (503, "target test: 20 data sources not polled yet\n")


def test_a_source_that_hangs_delays_no_other(tmp_path: Path, state: Path) -> None:
    """The others are polled on time."""
    clock = ScaledClock()
    sources = [SimulatedDataSource(f"source-{n}") for n in range(6)]
    with (
        SimulatedQBusiness(fleet_of(*sources), clock) as service,
        serve(tmp_path, config_for(service, state)) as program,
    ):
        program.until_ready()
        service.faults.add("hang", data_source_id=sources[0].id)
        eventually(lambda: program.scrape().value("qbusiness_poll_success", data_source_id=sources[0].id) == 0)
        assert len(service.logged("GetApplication")) == 1
        assert len(service.logged("GetDataSource")) == len(sources)
        before = len(service.logged(data_source_id=sources[1].id))
        time.sleep(2)
        assert len(service.logged(data_source_id=sources[1].id)) - before >= 10
        scrape = program.scrape()
        assert all(scrape.value("qbusiness_poll_success", data_source_id=source.id) == 1 for source in sources[1:])
        assert scrape.value("qbusiness_exporter_poll_failures_total", reason="timeout") == 1


@pytest.mark.parametrize("hours", [-7, 5])
def test_jobs_are_held_against_awss_clock(tmp_path: Path, state: Path, hours: int) -> None:
    """A host whose clock is wrong by hours counts as one whose clock is right."""
    clock = ManualClock(time.time() + hours * HOUR)
    jobs = [PlannedJob(make_id(n), clock.now() - n * HOUR - 100, 10, 10) for n in range(30)]
    source = SimulatedDataSource("hr", jobs=jobs)
    with SimulatedQBusiness(fleet_of(source), clock) as service, serve(tmp_path, config_for(service, state)) as program:
        program.until_ready()
        scrape = program.scrape()
        assert scrape.value("qbusiness_sync_jobs", status="SUCCEEDED") == 24
        assert scrape.value("qbusiness_sync_jobs_completed_total") == 0
        assert scrape.value("qbusiness_last_successful_poll_timestamp_seconds") == pytest.approx(clock.now(), abs=2)
        source.jobs.append(PlannedJob(make_id("new"), clock.now() + 5, 10, 10))
        clock.advance(60)
        eventually(lambda: program.scrape().value("qbusiness_sync_jobs_completed_total") == 1)


def test_every_attempt_is_counted(tmp_path: Path, state: Path) -> None:
    """The SDK's own retries included: the figures are those of the service's log."""
    source = SimulatedDataSource("hr")
    with SimulatedQBusiness(fleet_of(source)) as service, serve(tmp_path, config_for(service, state)) as program:
        program.until_ready()
        for kind in ("throttled", "server_error", "reset", "denied"):
            service.faults.add(kind, operation="ListDataSourceSyncJobs", times=2)
            eventually(lambda: all(fault.times == 0 for fault in service.faults.active()))
        eventually(lambda: program.scrape().value("qbusiness_poll_success") == 1)
        service.faults.add("hang")
        # The attempt that hangs is in the service's log already, and not yet in ours.
        eventually(lambda: service.requests[-1].fault == "hang")
        scrape = program.scrape()
        codes = {"throttled": "ThrottlingException", "server_error": "InternalServerException", None: "200"}
        codes |= {"reset": "connection", "denied": "AccessDeniedException"}
        for fault, code in codes.items():
            seen = sum(request.fault == fault for request in service.requests)
            assert scrape.value("qbusiness_exporter_api_requests_total", code=code) == seen, code
        assert service.requests[0].user_agent.startswith(f"qbusiness-exporter/{__version__} ")


def test_the_ceiling_on_requests_holds_with_retries(tmp_path: Path, state: Path) -> None:
    """Spaced evenly as the service sees them, whatever has to be asked twice."""
    sources = [SimulatedDataSource(f"source-{n}") for n in range(5)]
    with SimulatedQBusiness(fleet_of(*sources)) as service:
        service.faults.add("server_error", data_source_id=sources[0].id)
        with serve(tmp_path, config_for(service, state, requests_per_second=20)):
            eventually(lambda: len(service.requests) >= 100)
        moments = [request.monotonic for request in service.requests]
    # From one request to the fortieth after it pass two seconds, less what a busy machine adds to the first.
    spans = [later - earlier for earlier, later in zip(moments, moments[40:], strict=False)]
    assert min(spans) > 1.8
    assert moments[-1] - moments[0] < len(moments) / 20 * 1.5


def test_a_second_exporter_on_the_same_state_is_refused(tmp_path: Path, state: Path) -> None:
    """With exit code 1 and the process that has it."""
    with (
        SimulatedQBusiness(fleet_of(SimulatedDataSource("hr"))) as service,
        serve(tmp_path, config_for(service, state)) as program,
    ):
        done = run("--config.file", str(tmp_path / "config.yaml"))
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == (
            f"qbusiness-exporter: state file {state} is in use by another exporter "
            f"(process {program.process.pid}): set a different state.path"
        )


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    command = [sys.executable, "-m", "exporter", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, cwd=cwd)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--version"], 0, f"qbusiness-exporter, version {__version__} (revision unknown, python"),
        (["-h"], 0, "usage: qbusiness-exporter"),
        (["serv"], 2, "no such command: serv (choose from serve, demo, check"),
        (["--web.listen-adress", ":1"], 2, "unrecognized arguments: --web.listen-adress :1"),
        (["--log.level", "loud"], 2, "invalid choice: 'loud'"),
        (["--web.nonsense", "web.yml"], 2, "unrecognized arguments: --web.nonsense web.yml"),
        (["--web.config.file", "web.yml"], 1, "web.yml:1:1: cannot be read: No such file or directory"),
        (["--config.file", "nowhere.yaml"], 1, "nowhere.yaml:1:1: cannot be read: No such file or directory"),
        (["check", "--config.file", "nowhere.yaml"], 1, "nowhere.yaml:1:1: cannot be read: No such file or directory"),
    ],
)
def test_what_it_says_and_how_it_exits(arguments: list[str], code: int, says: str) -> None:
    """0 for what was asked, 1 for what cannot start, 2 for wrong usage."""
    done = run(*arguments)
    assert (done.returncode, says in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr


def test_an_address_in_use_is_named(tmp_path: Path, state: Path) -> None:
    """And what to do about it."""
    with (
        SimulatedQBusiness(fleet_of(SimulatedDataSource("hr"))) as service,
        socket.create_server(("127.0.0.1", 0)) as taken,
    ):
        serve(tmp_path, config_for(service, state))
        port = taken.getsockname()[1]
        done = run("--config.file", str(tmp_path / "config.yaml"), "--web.listen-address", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"qbusiness-exporter: cannot listen on 127.0.0.1:{port}: address already in use; "
        "choose another with --web.listen-address"
    )


def test_check_reports_every_problem_and_starts_nothing(tmp_path: Path) -> None:
    """On stderr, as file:line:column; and what is fine on stdout."""
    (tmp_path / "config.yaml").write_text("polling: {interval: 60}\nstat: {}\n")
    done = run("check", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "config.yaml:1:21: interval: 60 has no unit: write 60s for seconds",
        "config.yaml:2:1: stat: no such key; did you mean state?",
    ]
    (tmp_path / "config.yaml").write_text("targets: [{region: eu-central-1}]\n")
    done = run("check", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        (
            "config.yaml:1:20: region: Amazon Q Business is documented for us-east-1, us-west-2, eu-west-1, "
            "ap-southeast-2 only (warning)"
        ),
        "config.yaml: no problems; targets: 1, data sources named: 0",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_logs_come_as_json_when_asked(tmp_path: Path, state: Path) -> None:
    """One event a line, with a time, a level and a message."""
    with SimulatedQBusiness(fleet_of(SimulatedDataSource("hr"))) as service:
        service.faults.add("denied", operation="ListDataSourceSyncJobs")
        program = serve(tmp_path, config_for(service, state))
        with program:
            eventually(lambda: program.scrape().value("qbusiness_poll_success") == 0)
            program.stop()
        program.arguments += ["--log.format", "json"]
        done = subprocess.Popen(
            [sys.executable, "-m", "exporter", *program.arguments, "--web.listen-address", "127.0.0.1:0"],
            env={**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", **program.env},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert done.stderr
        events: list[dict[str, Any]] = []
        while not events or events[-1]["msg"] != "pass ended":
            events.append(json.loads(done.stderr.readline()))
        done.terminate()
        done.communicate()
    # The first poll runs in its own thread, and may fail before the address is logged.
    by_message = {event["msg"]: event for event in events}
    assert sorted(by_message) == ["listening", "pass ended", "poll failing", "starting"]
    assert len(events) == len(by_message)
    failing, pass_ended = by_message["poll failing"], by_message["pass ended"]
    assert (failing["level"], failing["reason"]) == ("warn", "access_denied")
    figures = {
        name: pass_ended[name] for name in ("data_sources", "polls", "failed", "failed_access_denied", "jobs_ended")
    }
    assert figures == {"data_sources": 1, "polls": 1, "failed": 1, "failed_access_denied": 1, "jobs_ended": 0}
    assert all(event["ts"].endswith("Z") for event in events)
