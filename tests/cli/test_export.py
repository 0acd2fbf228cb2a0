"""One pass, for cron and node_exporter's textfile collector."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from tests.support.harness import config_for, eventually, fleet_of, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMPLETED = "qbusiness_sync_jobs_completed_total"


@pytest.fixture
def service() -> Iterator[SimulatedQBusiness]:
    """Serve two data sources with an ended job each."""
    sources = [
        SimulatedDataSource(name, jobs=[PlannedJob(make_id(name), time.time() - 900, 60, 30)]) for name in ("hr", "it")
    ]
    with SimulatedQBusiness(fleet_of(*sources)) as service:
        yield service


def start_export(
    service: SimulatedQBusiness, tmp_path: Path, config: dict[str, Any], *flags: str, command: str = "export"
) -> subprocess.Popen[str]:
    """Start the command."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    words = [sys.executable, "-m", "exporter", command, f"--config.file={tmp_path / 'config.yaml'}", *flags]
    env = {**clean, **own, "AWS_ENDPOINT_URL_STS": service.url}
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def export(
    service: SimulatedQBusiness, tmp_path: Path, config: dict[str, Any], *flags: str, command: str = "export"
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    with start_export(service, tmp_path, config, *flags, command=command) as process:
        stdout, stderr = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def samples(text: str, name: str, **labels: str) -> list[float]:
    """Give the values of a series."""
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def test_it_prints_the_page_of_one_pass(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """Every data source and index, and what the exporter says of itself but for its process."""
    config = config_for(service, tmp_path / "state.db")
    del config["targets"][0]["data_sources"]
    done = export(service, tmp_path, config)
    assert done.returncode == 0, done.stderr
    assert samples(done.stdout, "qbusiness_poll_success") == [1.0, 1.0]
    assert samples(done.stdout, "qbusiness_last_completed_sync_status", status="SUCCEEDED") == [1.0, 1.0]
    assert samples(done.stdout, "qbusiness_index_documents") == [992.0]
    assert samples(done.stdout, "qbusiness_target_up") == [1.0]
    assert samples(done.stdout, "qbusiness_exporter_data_sources") == [2.0]
    assert not any(line.startswith(("process_", "python_")) for line in done.stdout.splitlines())
    checked = subprocess.run(["promtool", "check", "metrics"], input=done.stdout, text=True, check=False)
    assert checked.returncode == 0
    assert all(" level=" in line for line in done.stderr.splitlines())


def test_counters_go_on_from_one_run_to_the_next(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """What ended in between is counted once, also by a run that comes later."""
    config = config_for(service, tmp_path / "state.db")
    counts = []
    for number in range(3):
        done = export(service, tmp_path, config)
        counts.append(sum(samples(done.stdout, COMPLETED, status="SUCCEEDED")))
        (_, _, source), *_ = service.fleet.data_sources()
        if number == 0:
            source.jobs.append(PlannedJob(make_id("new"), time.time() + 0.1, 0.1, 0.1))
            time.sleep(1)
    assert counts == [0.0, 1.0, 1.0]


def test_a_file_is_there_whole_or_not_at_all(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """Readable by whoever collects it, with nothing left beside it."""
    (tmp_path / "out").mkdir()
    output = tmp_path / "out" / "qbusiness.prom"
    output.write_text("what was there before\n")
    done = export(service, tmp_path, config_for(service, ":memory:"), "--output", str(output))
    assert (done.returncode, done.stdout) == (0, "")
    assert samples(output.read_text(), "qbusiness_poll_success") == [1.0, 1.0]
    assert stat.S_IMODE(output.stat().st_mode) == 0o644
    assert [path.name for path in output.parent.iterdir()] == ["qbusiness.prom"]
    done = export(service, tmp_path, config_for(service, ":memory:"), "--output", str(tmp_path / "none" / "x.prom"))
    assert done.returncode == 1
    assert "none/x.prom: No such file or directory" in done.stderr


def test_a_part_that_fails_is_said_and_the_rest_counts(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """With what was known of it before."""
    config = config_for(service, tmp_path / "state.db")
    assert export(service, tmp_path, config).returncode == 0
    (_, _, source), *_ = service.fleet.data_sources()
    service.faults.add("denied", data_source_id=source.id)
    done = export(service, tmp_path, config)
    assert done.returncode == 0
    assert sorted(samples(done.stdout, "qbusiness_poll_success")) == [0.0, 1.0]
    assert len(samples(done.stdout, "qbusiness_last_completed_sync_end_timestamp_seconds")) == 2
    assert "poll failing" in done.stderr


def test_nothing_read_is_a_failure(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """What was known is printed all the same, and says how old it is."""
    config = config_for(service, tmp_path / "state.db", timeout="500ms")
    assert export(service, tmp_path, config).returncode == 0
    service.faults.add("server_error")
    done = export(service, tmp_path, config)
    assert done.returncode == 1
    assert samples(done.stdout, "qbusiness_poll_success") == [0.0, 0.0]
    assert "no data source could be read" in done.stderr


def test_a_state_file_in_use_is_an_error(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """The running exporter has it: nothing is asked, nothing is printed."""
    config = config_for(service, tmp_path / "state.db")
    with serve(tmp_path, config) as program:
        program.until_ready()
        done = export(service, tmp_path, config)
    assert (done.returncode, done.stdout) == (1, "")
    assert "state.db" in done.stderr


def test_output_does_not_go_with_every_command(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """Elsewhere it is wrong usage."""
    done = export(service, tmp_path, config_for(service, ":memory:"), "--output=x", command="plan")
    assert done.returncode == 2
    assert "--output is a flag of export and backfill, not of plan" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_being_stopped_leaves_nothing_behind(service: SimulatedQBusiness, tmp_path: Path, number: int) -> None:
    """No half of a file that the collector's folder would keep for ever, and no traceback."""
    config = config_for(service, tmp_path / "state.db", requests_per_second=0.1)
    folder = tmp_path / "collected"
    folder.mkdir()
    process = start_export(service, tmp_path, config, f"--output={folder / 'qbusiness.prom'}")
    with process:
        eventually(lambda: list(folder.iterdir()))
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert list(folder.iterdir()) == []
    assert "Traceback" not in said
