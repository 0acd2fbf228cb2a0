"""The `backfill` command: its output, its log, and its errors."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from exporter.cli import main
from exporter.cli.sizes import parse_size
from exporter.domain.counting.source_history import SourceHistory
from exporter.domain.service import Use
from exporter.domain.units import HOUR
from exporter.simulator.fleet import make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from exporter.store import MEMORY, Store
from tests.support.backfill_command import BackfillCommand, samples_by_time, total
from tests.support.builders import source_id
from tests.support.harness import TIMEOUT
from tests.support.manual_clock import ManualClock
from tests.support.provider_rig import CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exporter.simulator.fleet import SimulatedDataSource
    from tests.support.service_case import ServiceCase

NOW = 1_800_000_000.0
COMPLETED = "qbusiness_sync_jobs_completed_total"


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def service(case: ServiceCase) -> Iterator[SimulatedEndpoint]:
    """Serve two data sources with an earlier sync, `hr` and `it`, and one that was never synced."""
    synced = [
        case.source(name, PlannedJob(case.wire_id(make_id(name)), NOW - 2 * HOUR, 600, 300)) for name in ("hr", "it")
    ]
    with SimulatedEndpoint(case.fleet(*synced, case.source("new")), ManualClock(NOW), case.make_api) as service:
        yield service


@pytest.fixture
def command(case: ServiceCase, service: SimulatedEndpoint, tmp_path: Path) -> BackfillCommand:
    """Return the command in its own folder."""
    return BackfillCommand(service, tmp_path, str(case))


@pytest.fixture
def run(command: BackfillCommand, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that runs the command with flags, and returns its output."""

    def run(*flags: str, code: int = 0) -> str:
        return command.run(monkeypatch, *flags, code=code)

    return run


@pytest.fixture
def hr(service: SimulatedEndpoint) -> SimulatedDataSource:
    """Return the data source `hr` of the simulated service."""
    return next(source for _, _, source in service.fleet.data_sources() if source.name == "hr")


def names_in(text: str) -> set[str]:
    """Return the names of the data sources in the output."""
    return set(re.findall(r'data_source="([^"]+)"', text))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_job_is_counted_at_the_time_at_which_it_ended(case: ServiceCase, run: Callable[..., str]) -> None:
    """The samples have the prefix and the words of the service. The last one resets the counters."""
    samples = samples_by_time(run())
    completed, ended = f"{case}_sync_jobs_completed_total", NOW - 2 * HOUR + 900
    *counts, (_, reset) = [(at, total(found, completed)) for at, found in samples.items()]
    assert {(at >= ended, count, reset) for at, count in counts} == {(False, 0, 0), (True, 2, 0)}
    (labels,) = {frozenset(dict(labels)) for name, labels in samples[ended] if name == completed}
    assert labels == {case.service.root.word, "data_source", "data_source_id", "status"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_job_has_its_outcome(case: ServiceCase, run: Callable[..., str], hr: SimulatedDataSource) -> None:
    """A poll requests the outcomes of a few past jobs only, and the backfill the outcomes of all others."""
    hr.jobs += [PlannedJob(case.wire_id(make_id("old", n)), NOW - n * HOUR, 60, 60) for n in range(3, 9)]
    *_, last, _ = samples_by_time(run()).values()  # the very last sample resets the counters
    completed = {labels: count for (name, labels), count in last.items() if name == f"{case}_sync_jobs_completed_total"}
    assert {dict(labels)["status"] for labels, count in completed.items() if count} == {"SUCCEEDED"}
    assert sum(completed.values()) == 8


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_source_that_was_never_synced_has_no_samples(
    command: BackfillCommand, run: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The log counts it, and warns that the backfill ends now without a state file. No other file is left."""
    assert names_in(run()) == {"hr", "it"}
    log = capsys.readouterr().err
    assert "without_samples=1" in log
    assert "not watched yet" in log
    assert "not_before=" in log
    assert {path.name for path in command.folder.iterdir()} == {"config.yaml", "backfill.om"}


def test_the_backfill_ends_where_the_state_file_says(
    command: BackfillCommand, run: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A data source that has been watched for longer than --since has no samples."""
    store = Store(str(command.state), lambda: None)
    for application, index, source in command.service.fleet.data_sources():
        history = SourceHistory(watched_since=NOW - HOUR, as_of=NOW - HOUR)
        store.commit({str(source_id(application.id, index.id, source.id)): history})
    store.close()
    assert run("--since=30m") == "# EOF\n"
    assert max(samples_by_time(run())) == NOW - HOUR - 1
    log = capsys.readouterr().err
    assert "not_before=" in log
    assert "not watched yet" not in log


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_source_whose_poll_fails_is_logged_and_fails_the_command(
    case: ServiceCase,
    service: SimulatedEndpoint,
    run: Callable[..., str],
    hr: SimulatedDataSource,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The other data sources are written. Scripts can detect the incomplete backfill by the exit code."""
    wire_id = case.wire_id(hr.id)
    service.faults.add("denied", data_source_id=wire_id)
    assert names_in(run(code=1)) == {"it"}
    error = capsys.readouterr().err
    assert f'level=error msg="poll failed, data source left out" target=test data_source_id={wire_id}' in error


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_incomplete_discovery_fails_the_command(
    case: ServiceCase, service: SimulatedEndpoint, run: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Data sources that it did not find would be missing without a trace."""
    service.faults.add("denied", operation=case.service.action(Use.LIST_SOURCES))
    assert run(code=1) == "# EOF\n"
    assert "data sources may be missing" in capsys.readouterr().err


def test_a_failure_on_a_later_page_of_jobs_fails_the_command(
    service: SimulatedEndpoint,
    run: Callable[..., str],
    hr: SimulatedDataSource,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The poll before read fewer pages, and succeeded."""
    hr.jobs += [PlannedJob(make_id("old", n), NOW - (9 + n) * 24 * HOUR, 60, 60) for n in range(30)]
    service.faults.add("denied", operation="ListDataSourceSyncJobs", data_source_id=hr.id, page=2)
    assert names_in(run(code=1)) == {"it"}
    assert "listing of sync jobs failed" in capsys.readouterr().err


def test_a_job_without_end_ends_when_it_started(
    run: Callable[..., str], hr: SimulatedDataSource, capsys: pytest.CaptureFixture[str]
) -> None:
    """AWS does not report the time of the end. The log names the data source."""
    hr.change(hr.jobs[0].execution_id, overrides={"endTime": None})
    samples = samples_by_time(run())
    assert next(time for time, found in samples.items() if total(found, COMPLETED) == 1) == NOW - 2 * HOUR
    assert "jobs without an end" in capsys.readouterr().err


def test_a_step_that_leaves_gaps_is_logged(run: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    """Prometheus looks back five minutes for a sample."""
    times = list(samples_by_time(run("--step=10m")))
    assert {after - before for before, after in pairwise(times[:-2])} == {600}
    assert "graphs will have gaps" in capsys.readouterr().err


@pytest.mark.parametrize("step", ["5m", "1500ms"])
def test_the_size_is_logged_before_anything_is_written(
    run: Callable[..., str], capsys: pytest.CaptureFixture[str], step: str
) -> None:
    """It is never too small, and almost exact."""
    size = len(run(f"--step={step}").encode())
    logged = re.search(r"msg=\"backfill prepared\".* size=(\S+)", capsys.readouterr().err)
    assert logged
    assert 0.999 * size <= parse_size(logged[1]) <= 1.05 * size


def test_an_output_that_would_be_too_large_is_not_written(
    command: BackfillCommand, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An earlier file is not changed. The error has the total size, and advice on what to change."""
    output = command.folder / "backfill.om"
    output.write_text("# EOF\n")
    assert command.run(monkeypatch, "--max-size=10KiB", code=1) == "# EOF\n"
    assert {path.name for path in command.folder.iterdir()} == {"config.yaml", "backfill.om"}
    error = capsys.readouterr().err
    assert "--max-size 10KiB exceeded after 1 of 3 data sources, nothing written: all would take about " in error
    assert "--since" in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["serve", "--since=90d"], "--since is a flag of backfill, not of serve"),
        (["export", "--step=5m"], "--step is a flag of backfill, not of export"),
        (["export", "--label=a=b"], "--label is a flag of backfill and rules, not of export"),
        (["backfill", "--since=90"], "'90' has no unit: write 90s for seconds"),
        (["backfill", "--step=100ms"], "100ms is too short: the minimum is 1s"),
        (["backfill", "--max-size=2"], "'2' is not a size: write it as 500MiB or 2GiB"),
        (["backfill", "--label=job"], "'job' is not a label: write NAME=VALUE"),
        (["backfill", "--label=job=a", "--label=job=b"], "the label job is set twice, to 'a' and 'b'"),
        (["backfill", "--label=data_source=x"], "data_source is already a label of the metrics"),
    ],
)
def test_wrong_usage_exits_with_2(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message says what is wrong, and what would be right."""
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def start(command: BackfillCommand, *flags: str, **streams: int) -> subprocess.Popen[str]:
    """Start the command as a process, without a state file."""
    config = f"--config.file={command.write_config(state={'path': MEMORY})}"
    words = [sys.executable, "-m", "exporter", "backfill", config, *flags]
    env = {**os.environ, "AWS_ENDPOINT_URL_STS": command.service.url}
    return subprocess.Popen(words, text=True, env=env, stdout=streams.get("stdout"), stderr=streams.get("stderr"))


def test_a_closed_stdout_ends_the_command_quietly(command: BackfillCommand) -> None:
    """As with `backfill | head`. Only samples are written to stdout. The exit code is that of SIGPIPE."""
    with start(command, "--step=1s", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith("# HELP qbusiness_data_source_")
        process.stdout.close()
        error = process.stderr.read()
        assert process.wait(TIMEOUT) == 128 + signal.SIGPIPE
    assert "level=error" not in error
    assert "Traceback" not in error


def test_a_terminal_shows_progress(command: BackfillCommand, tmp_path: Path) -> None:
    """A bar each while it reads and while it writes."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    with start(command, "--log.level=error", f"--output={tmp_path / 'backfill.om'}", stderr=theirs) as process:
        assert process.wait(TIMEOUT) == 0
    shown = os.read(ours, 100_000).decode()
    os.close(theirs)
    os.close(ours)
    assert "reading" in shown
    assert "writing" in shown
