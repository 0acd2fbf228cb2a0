"""`export` as a process: one pass, for cron and the textfile collector of node_exporter."""

from __future__ import annotations

import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from exporter.simulator.fleet import make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.alert_rules import ROOT
from tests.support.harness import TIMEOUT, config_for, eventually, serve
from tests.support.manual_clock import ManualClock
from tests.support.oneshot import environment, run
from tests.support.program_process import ProgramProcess
from tests.support.provider_rig import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.service_case import ServiceCase


@pytest.fixture
def clock() -> ManualClock:
    """Return the clock of the service."""
    return ManualClock(time.time())


@pytest.fixture
def service(case: ServiceCase, clock: ManualClock) -> Iterator[SimulatedEndpoint]:
    """Serve two data sources, each with a job that has ended."""
    sources = [case.source(name, planned(case, name, clock.now() - 900)) for name in ("hr", "it")]
    with SimulatedEndpoint(case.fleet(*sources), clock, case.make_api) as service:
        yield service


def planned(case: ServiceCase, name: str, started: float) -> PlannedJob:
    """Return a job of 90 seconds that succeeds."""
    return PlannedJob(case.wire_id(make_id(name)), started, 60, 30)


def discovering(service: SimulatedEndpoint, case: ServiceCase, state: Path | str) -> dict[str, Any]:
    """Return a configuration whose target discovers the data sources of a service."""
    config = config_for(service, state)
    target = {"name": "test", "service": str(case), "region": "us-east-1", "endpoint_url": service.url}
    return {**config, "targets": [target]}


def export(
    service: SimulatedEndpoint, tmp_path: Path, config: dict[str, Any], *flags: str, command: str = "export"
) -> subprocess.CompletedProcess[str]:
    """Run a command with a configuration to its end."""
    return run(service, tmp_path, command, *flags, text=yaml.safe_dump(config))


def samples(text: str, name: str, **labels: str) -> list[float]:
    """Return the values of the samples with a name and, among others, these labels."""
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_metrics_of_one_pass_are_printed(case: ServiceCase, service: SimulatedEndpoint, tmp_path: Path) -> None:
    """They include all data sources, indexes and exporter metrics, but no process metrics."""
    done = export(service, tmp_path, discovering(service, case, tmp_path / "state.db"))
    assert done.returncode == 0, done.stderr
    assert samples(done.stdout, f"{case}_poll_success") == [1.0, 1.0]
    assert samples(done.stdout, f"{case}_last_completed_sync_status", status="SUCCEEDED") == [1.0, 1.0]
    container = f"{case}_{case.service.container.word}"
    assert len(samples(done.stdout, f"{container}_info")) == 1
    assert samples(done.stdout, f"{container}_documents") == ([case.documents] if case.documents else [])
    assert samples(done.stdout, "qbusiness_exporter_target_up") == [1.0]
    assert samples(done.stdout, "qbusiness_exporter_data_sources") == [2.0]
    assert not any(line.startswith(("process_", "python_")) for line in done.stdout.splitlines())
    checked = subprocess.run(["promtool", "check", "metrics"], input=done.stdout, text=True, check=False)
    assert checked.returncode == 0
    assert all(" level=" in line for line in done.stderr.splitlines())


@pytest.mark.trial
@pytest.mark.parametrize("case", CASES, ids=str)
def test_counters_continue_from_one_run_to_the_next(
    case: ServiceCase, service: SimulatedEndpoint, clock: ManualClock, tmp_path: Path
) -> None:
    """A job that ends between two runs is counted once."""
    config = discovering(service, case, tmp_path / "state.db")
    counts = []
    for number in range(3):
        done = export(service, tmp_path, config)
        counts.append(sum(samples(done.stdout, f"{case}_sync_jobs_completed_total", status="SUCCEEDED")))
        (_, _, source), *_ = service.fleet.data_sources()
        if number == 0:
            source.jobs.append(planned(case, "new", clock.advance(10)))
            clock.advance(120)
    assert counts == [0.0, 1.0, 1.0]


def test_an_output_file_is_replaced(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """Other users can read the file, and no temporary file remains."""
    (tmp_path / "out").mkdir()
    output = tmp_path / "out" / "qbusiness.prom"
    output.write_text("previous content\n")
    done = export(service, tmp_path, config_for(service, ":memory:"), "--output", str(output))
    assert (done.returncode, done.stdout) == (0, "")
    assert samples(output.read_text(), "qbusiness_poll_success") == [1.0, 1.0]
    assert stat.S_IMODE(output.stat().st_mode) == 0o644
    assert [path.name for path in output.parent.iterdir()] == ["qbusiness.prom"]


def test_a_run_from_cron_prints_nothing(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """Cron mails whatever a command prints, so a run without problems has no output with the documented flags."""
    (line,) = re.findall(r"qbusiness-exporter export (.*)", (ROOT / "docs" / "export.md").read_text())
    flags = [flag for flag in line.split() if not flag.startswith(("--config.file", "--output"))]
    done = export(service, tmp_path, config_for(service, ":memory:"), *flags, "--output", str(tmp_path / "x.prom"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_output_file_in_a_missing_folder_is_an_error(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The message names the file."""
    done = export(service, tmp_path, config_for(service, ":memory:"), "--output", str(tmp_path / "none" / "x.prom"))
    assert done.returncode == 1
    assert "none/x.prom: No such file or directory" in done.stderr


def test_one_failing_source_is_not_a_failure(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The log reports it, and its last known values are printed."""
    config = config_for(service, tmp_path / "state.db")
    assert export(service, tmp_path, config).returncode == 0
    (_, _, source), *_ = service.fleet.data_sources()
    service.faults.add("denied", data_source_id=source.id)
    done = export(service, tmp_path, config)
    assert done.returncode == 0
    assert sorted(samples(done.stdout, "qbusiness_poll_success")) == [0.0, 1.0]
    assert len(samples(done.stdout, "qbusiness_last_completed_sync_end_timestamp_seconds")) == 2
    assert "poll failing" in done.stderr


def test_export_fails_if_no_source_can_be_read(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """It still prints the last known values."""
    config = config_for(service, tmp_path / "state.db", timeout="500ms")
    assert export(service, tmp_path, config).returncode == 0
    service.faults.add("server_error")
    done = export(service, tmp_path, config)
    assert done.returncode == 1
    assert samples(done.stdout, "qbusiness_poll_success") == [0.0, 0.0]
    assert "no data source could be read" in done.stderr


def test_a_state_file_in_use_is_an_error(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """While `serve` uses the state file, `export` prints nothing."""
    config = config_for(service, tmp_path / "state.db")
    with serve(tmp_path, config) as program:
        program.until_ready()
        done = export(service, tmp_path, config)
    assert (done.returncode, done.stdout) == (1, "")
    assert "state.db" in done.stderr


def test_output_is_not_a_flag_of_every_command(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """With other commands it is wrong usage."""
    done = export(service, tmp_path, config_for(service, ":memory:"), "--output=x", command="plan")
    assert done.returncode == 2
    assert "--output is a flag of export and backfill, not of plan" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_temporary_file(service: SimulatedEndpoint, tmp_path: Path, number: int) -> None:
    """The exit code is 128 plus the signal number, without a traceback."""
    config = config_for(service, tmp_path / "state.db", requests_per_second=0.1)
    folder = tmp_path / "collected"
    folder.mkdir()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    process = ProgramProcess(["export", f"--output={folder / 'qbusiness.prom'}"], tmp_path, environment(service))
    eventually(lambda: list(folder.iterdir()))
    process.send_signal(number)
    _, log = process.communicate()
    assert process.poll() == 128 + number
    assert list(folder.iterdir()) == []
    assert "Traceback" not in (log or "")


def test_a_credential_process_does_not_outlive_the_program(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """One that hangs would stay behind at each run of a cron job."""
    pid_file, profiles = tmp_path / "pid", tmp_path / "profiles"
    profiles.write_text(f"[default]\ncredential_process = sh -c 'echo $$ > {pid_file}; exec sleep 600'\n")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config_for(service, ":memory:", timeout="30s")))
    variables = {**environment(service), "AWS_CONFIG_FILE": str(profiles)}
    del variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]
    line = [sys.executable, "-m", "exporter", "export"]
    with subprocess.Popen(line, cwd=tmp_path, env=variables, stderr=subprocess.PIPE, text=True) as process:
        eventually(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT)
    eventually(lambda: not Path(f"/proc/{int(pid_file.read_text())}/exe").exists())
