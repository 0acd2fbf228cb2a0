"""`serve` as a process against the simulated service: its metrics, its signals, and its errors at start."""

from __future__ import annotations

import json
import random
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exporter import __version__
from exporter.domain.units import HOUR
from exporter.simulator.clock import ScaledClock
from exporter.simulator.faults import FAULT_KINDS
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import Program, config_for, eventually, fleet_of, serve
from tests.support.manual_clock import ManualClock
from tests.support.oracle import CounterMonitor, busy_source, finish_jobs
from tests.support.program_process import run_command
from tests.support.request_log import logged_requests

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator


WRONG_NUMBERS = {"negative_figures", "fractional_figures", "figures_in_words", "huge_figures", "unknown_error_code"}
WRONG_ENDS = {"no_end", "end_in_the_future", "in_the_future"}
HANG = 60.0  # seconds until a hanging request ends; what takes half of that on a busy machine has not waited for it


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return the path of the state file."""
    return tmp_path / "state.db"


def test_a_job_is_exposed_from_its_start_to_its_end(tmp_path: Path, state: Path) -> None:
    """The metrics show the progress of a running job, then its results, and count it once."""
    clock = ManualClock(time.time())
    source = SimulatedDataSource("hr")
    with SimulatedEndpoint(fleet_of(source), clock) as service, serve(tmp_path, config_for(service, state)) as program:
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
        program.until_logged("sync job ended", "status=INCOMPLETE")


def test_jobs_that_end_during_downtime_are_counted_after_the_restart(tmp_path: Path, state: Path) -> None:
    """Jobs that ended before the first start are not counted."""
    clock = ManualClock(time.time())
    source = SimulatedDataSource("hr", jobs=[PlannedJob(make_id("old"), clock.now() - HOUR, documents={"added": 5})])
    with SimulatedEndpoint(fleet_of(source), clock) as service:
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


def test_a_stop_sends_no_more_requests_and_reports_no_failures(tmp_path: Path, state: Path) -> None:
    """Polls that wait for the rate limiter are cancelled when the program stops."""
    sources = [SimulatedDataSource(f"source-{n}") for n in range(3)]
    with SimulatedEndpoint(fleet_of(*sources)) as service:
        config = config_for(service, state, requests_per_second=0.05)
        with serve(tmp_path, config) as program:
            eventually(lambda: service.requests)
            assert program.stop() == 0
        assert len(logged_requests(service)) == 1
        assert not [line for line in program.log if "level=warn" in line or "level=error" in line]


@pytest.mark.trial  # it starts the program 15 times
@pytest.mark.timeout(240)
def test_totals_are_correct_after_many_kills(tmp_path: Path, state: Path) -> None:
    """A program that is killed at random times counts each job once, and no counter decreases."""
    clock = ScaledClock()
    rng = random.Random(1)
    sources = [SimulatedDataSource(f"source-{n}") for n in range(4)]
    monitor = CounterMonitor()
    with SimulatedEndpoint(fleet_of(*sources), clock) as service:
        config = config_for(service, state)
        for life in range(14):
            with serve(tmp_path, config) as program:
                if life == 0:
                    program.until_ready()
                    for source in sources:
                        source.routine = busy_source(source.name, clock.now() + 1.5).routine
                killed_at = time.monotonic() + rng.uniform(0.0, 1.2)
                while time.monotonic() < killed_at:
                    monitor.scrape(program)
                program.kill()
        with serve(tmp_path, config) as program:
            assert finish_jobs(program, sources, clock) > 20


@pytest.mark.trial  # about forty kinds of faults, one after the other
def test_totals_are_correct_after_every_fault(tmp_path: Path, state: Path) -> None:
    """After temporary faults of AWS in any order, no job is missing and none is counted twice."""
    clock = ScaledClock()
    rng = random.Random(7)
    sources = [SimulatedDataSource(f"source-{n}") for n in range(4)]
    # The excluded faults change the reported results of jobs, so that no total is the correct one.
    kinds = sorted(set(FAULT_KINDS) - {"unknown_status", "end_before_start", *WRONG_NUMBERS, *WRONG_ENDS})
    with (
        SimulatedEndpoint(fleet_of(*sources), clock) as service,
        serve(tmp_path, config_for(service, state, timeout="200ms")) as program,
    ):
        program.until_ready()
        for source in sources:
            source.routine = busy_source(source.name, clock.now() + 1.5).routine
        for kind in rng.sample(kinds, len(kinds)):
            affected = rng.choice([None, *(source.id for source in sources)])
            page, times = rng.choice([None, 1, 2]), rng.randint(1, 6)
            sent = len(service.requests)
            until = clock.now() + 1
            service.faults.add(kind, data_source_id=affected, page=page, times=times, until=until, seconds=0.1)
            eventually(lambda enough=sent + 12: len(service.requests) >= enough)  # type: ignore[misc] # a default binds it
        occurred = {request.fault for request in service.requests}
        service.faults.clear()
        assert finish_jobs(program, sources, clock) > 20
        assert len(occurred) > len(kinds) * 2 / 3
        failures = program.scrape().value("qbusiness_exporter_poll_failures_total") or 0
        assert failures > 20
        assert program.get("/-/healthy")[0] == 200


@pytest.mark.trial  # six runs of several seconds, in which jobs run in real time
@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
@pytest.mark.parametrize("time_filter", ["start", "overlap"])
def test_totals_are_correct_for_every_order_and_time_filter(tmp_path: Path, order: str, time_filter: str) -> None:
    """The API documents neither the order of jobs nor the meaning of its time filter."""
    clock = ScaledClock()
    sources = [SimulatedDataSource(f"source-{n}") for n in range(3)]
    with (
        SimulatedEndpoint(fleet_of(*sources), clock, order=order, time_filter=time_filter) as service,
        serve(tmp_path, config_for(service, ":memory:")) as program,
    ):
        program.until_ready()
        for source in sources:
            source.routine = busy_source(source.name, clock.now() + 1.5).routine
        eventually(lambda: (program.scrape().value("qbusiness_sync_jobs_completed_total") or 0) > 10)
        assert finish_jobs(program, sources, clock) > 10


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[tuple[SimulatedEndpoint, Program]]:
    """Run against a service that responds to all operations except ListDataSourceSyncJobs, which hangs."""
    sources = [SimulatedDataSource(f"source-{n}") for n in range(20)]
    with SimulatedEndpoint(fleet_of(*sources)) as service:
        service.faults.add("hang", operation="ListDataSourceSyncJobs")
        with serve(tmp_path, config_for(service, tmp_path / "state.db", timeout=f"{HANG:g}s")) as program:
            eventually(lambda: len(logged_requests(service, "ListDataSourceSyncJobs")) >= 8)
            yield service, program


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_does_not_wait_for_hanging_requests(hanging: tuple[SimulatedEndpoint, Program], number: int) -> None:
    """The tests of the image require that it takes less than five seconds."""
    _, program = hanging
    signalled_at = time.monotonic()
    assert program.stop(number) == 0
    assert time.monotonic() - signalled_at < HANG / 2


def test_the_program_reloads_while_aws_hangs(hanging: tuple[SimulatedEndpoint, Program]) -> None:
    """A reload does not wait for polls in progress."""
    _, program = hanging
    reloaded = "qbusiness_exporter_config_last_reload_success_timestamp_seconds"
    before = program.scrape().value(reloaded)
    config = Path(program.arguments[2])
    config.write_text(config.read_text().replace("timeout: 60s", "timeout: 61s"))
    program.process.send_signal(signal.SIGHUP)
    eventually(lambda: program.scrape().value(reloaded) != before, HANG / 2)
    assert program.get("/-/healthy")[0] == 200


def test_scrapes_do_not_wait_for_polls(hanging: tuple[SimulatedEndpoint, Program]) -> None:
    """While AWS hangs, scrapes succeed and the readiness endpoint returns the reason."""
    _, program = hanging
    sent_at = time.monotonic()
    scrape = program.scrape()
    assert time.monotonic() - sent_at < HANG / 2
    assert scrape.value("qbusiness_exporter_data_sources") == 20
    assert program.get("/-/healthy")[0] == 200
    assert program.get("/-/ready") == (503, "target test: 20 data sources not polled yet\n")


def test_a_hanging_source_does_not_delay_others(tmp_path: Path, state: Path) -> None:
    """The other data sources are polled at their interval."""
    clock = ScaledClock()
    sources = [SimulatedDataSource(f"source-{n}") for n in range(6)]
    with (
        SimulatedEndpoint(fleet_of(*sources), clock) as service,
        serve(tmp_path, config_for(service, state, timeout="600ms")) as program,
    ):
        program.until_ready()
        service.faults.add("hang", data_source_id=sources[0].id)
        eventually(lambda: program.scrape().value("qbusiness_poll_success", data_source_id=sources[0].id) == 0)
        assert len(logged_requests(service, "GetApplication")) == 1
        assert len(logged_requests(service, "GetDataSource")) == len(sources)
        before = len(logged_requests(service, data_source_id=sources[1].id))
        eventually(lambda: len(logged_requests(service, data_source_id=sources[1].id)) - before >= 10)
        scrape = program.scrape()
        assert all(scrape.value("qbusiness_poll_success", data_source_id=source.id) == 1 for source in sources[1:])
        assert scrape.value("qbusiness_exporter_poll_failures_total", reason="timeout") == 1


@pytest.mark.parametrize("hours", [-7, 5])
def test_jobs_are_compared_with_the_clock_of_aws(tmp_path: Path, state: Path, hours: int) -> None:
    """A wrong clock of the host does not change the totals."""
    clock = ManualClock(time.time() + hours * HOUR)
    jobs = [PlannedJob(make_id(n), clock.now() - n * HOUR - 100, 10, 10) for n in range(30)]
    source = SimulatedDataSource("hr", jobs=jobs)
    with SimulatedEndpoint(fleet_of(source), clock) as service, serve(tmp_path, config_for(service, state)) as program:
        program.until_ready()
        scrape = program.scrape()
        assert scrape.value("qbusiness_sync_jobs", status="SUCCEEDED") == 24
        assert scrape.value("qbusiness_sync_jobs_completed_total") == 0
        assert scrape.value("qbusiness_last_successful_poll_timestamp_seconds") == pytest.approx(clock.now(), abs=2)
        source.jobs.append(PlannedJob(make_id("new"), clock.now() + 5, 10, 10))
        clock.advance(60)
        eventually(lambda: program.scrape().value("qbusiness_sync_jobs_completed_total") == 1)


def test_every_attempt_is_counted(tmp_path: Path, state: Path) -> None:
    """The request counters include the retries of the SDK, and match the log of the service."""
    source = SimulatedDataSource("hr")
    with SimulatedEndpoint(fleet_of(source)) as service, serve(tmp_path, config_for(service, state)) as program:
        program.until_ready()
        for kind in ("throttled", "server_error", "reset", "denied"):
            service.faults.add(kind, operation="ListDataSourceSyncJobs", times=2)
            eventually(lambda: all(fault.times == 0 for fault in service.faults.active()))
        eventually(lambda: program.scrape().value("qbusiness_poll_success") == 1)
        service.faults.add("hang")
        # The service has logged the hanging request, but the exporter has not counted it yet.
        eventually(lambda: service.requests[-1].fault == "hang")
        scrape = program.scrape()
        codes = {"throttled": "ThrottlingException", "server_error": "InternalServerException", None: "200"}
        codes |= {"reset": "connection", "denied": "AccessDeniedException"}
        for fault, code in codes.items():
            seen = sum(request.fault == fault for request in service.requests)
            assert scrape.value("qbusiness_exporter_api_requests_total", code=code) == seen, code
        assert service.requests[0].user_agent.startswith(f"qbusiness-exporter/{__version__} ")


def test_the_rate_limit_includes_retries(tmp_path: Path, state: Path) -> None:
    """The service receives requests at even distances, although one data source fails and is retried."""
    sources = [SimulatedDataSource(f"source-{n}") for n in range(5)]
    with SimulatedEndpoint(fleet_of(*sources)) as service:
        service.faults.add("server_error", data_source_id=sources[0].id)
        with serve(tmp_path, config_for(service, state, requests_per_second=20)):
            eventually(lambda: len(service.requests) >= 50)
        times = [request.monotonic for request in service.requests]
    # At 20 requests per second, 20 requests take one second. A busy machine may delay the first of them.
    spans = [later - earlier for earlier, later in zip(times, times[20:], strict=False)]
    assert min(spans) > 0.8
    assert times[-1] - times[0] < len(times) / 20 * 3


def test_a_second_exporter_with_the_same_state_file_does_not_start(tmp_path: Path, state: Path) -> None:
    """It exits with 1, and names the file."""
    with (
        SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service,
        serve(tmp_path, config_for(service, state)),
    ):
        done = run("--config.file", str(tmp_path / "config.yaml"))
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].endswith(
            f'level=error msg="command failed" error="state file {state} is in use by another exporter: '
            'set a different state.path"'
        )


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    done = run_command(*arguments, folder=cwd)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--version"], 0, f"qbusiness-exporter, version {__version__} (revision unknown, python"),
        (["-h"], 0, "usage: qbusiness-exporter"),
        (["serv"], 2, "no such command: serv (did you mean serve?)"),
        (["watch"], 2, "no such command: watch (choose from serve, demo, check"),
        (["--web.listen-adress", ":1"], 2, "unrecognized arguments: --web.listen-adress :1"),
        (["--log.level", "loud"], 2, "invalid choice: 'loud'"),
        (["--web.nonsense", "web.yml"], 2, "unrecognized arguments: --web.nonsense web.yml"),
        (["--web.config.file", "web.yml"], 1, "web.yml:1:1: cannot be read: No such file or directory"),
        (["--config.file", "nowhere.yaml"], 1, "nowhere.yaml:1:1: cannot be read: No such file or directory"),
        (["check", "--config.file", "nowhere.yaml"], 1, "nowhere.yaml:1:1: cannot be read: No such file or directory"),
    ],
)
def test_exit_codes_and_messages(arguments: list[str], code: int, message: str) -> None:
    """The exit code is 0 for success, 1 for an error at start, and 2 for wrong usage."""
    done = run(*arguments)
    assert (done.returncode, message in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr


def test_an_address_in_use_is_an_error(tmp_path: Path, state: Path) -> None:
    """The message contains the address and the flag that changes it."""
    with (
        SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        serve(tmp_path, config_for(service, state))
        port = listener.getsockname()[1]
        done = run("--config.file", str(tmp_path / "config.yaml"), "--web.listen-address", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        f'level=error msg="command failed" error="cannot listen on 127.0.0.1:{port}: address already in use; '
        'choose another with --web.listen-address"'
    )


def test_check_reports_every_problem_and_starts_nothing(tmp_path: Path) -> None:
    """`check` prints problems with file:line:column on stderr, and a summary on stdout if there are none."""
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


def test_logs_can_be_json(tmp_path: Path, state: Path) -> None:
    """Each line is one event with a time, a level and a message."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        service.faults.add("denied", operation="ListDataSourceSyncJobs")
        program = serve(tmp_path, config_for(service, state))
        program.arguments += ["--log.format", "json"]
        with program:
            program.until_logged('"pass ended"')
            program.stop()
    events: list[dict[str, Any]] = [json.loads(line) for line in program.log]
    events = events[: next(number for number, event in enumerate(events) if event["msg"] == "pass ended") + 1]
    # The order is not fixed: the first poll runs in its own thread, and may fail before the address is logged.
    by_message = {event["msg"]: event for event in events}
    assert sorted(by_message) == ["listening", "pass ended", "poll failing", "starting"]
    assert len(events) == len(by_message)
    failing, pass_ended = by_message["poll failing"], by_message["pass ended"]
    assert (failing["level"], failing["reason"]) == ("warn", "access_denied")
    counts = {
        name: pass_ended[name] for name in ("data_sources", "polls", "failed", "failed_access_denied", "jobs_ended")
    }
    assert counts == {"data_sources": 1, "polls": 1, "failed": 1, "failed_access_denied": 1, "jobs_ended": 0}
    assert all(event["ts"].endswith("Z") for event in events)
