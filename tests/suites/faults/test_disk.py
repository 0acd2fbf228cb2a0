"""The running program on disks that are full, read-only or broken, and its recovery when they work again."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from exporter.simulator.clock import ScaledClock
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import TIMEOUT, Program, config_for, eventually, fleet_of, serve
from tests.support.oracle import CounterMonitor, busy_source, finish_jobs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAILURES = "qbusiness_exporter_state_write_failures_total"
UP = "qbusiness_exporter_state_up"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of one megabyte."""
    mount_point = tmp_path / "small"
    mount_point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount_point], check=True)
    yield mount_point
    subprocess.run(["umount", "--lazy", mount_point], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk with a file, and return it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


def check_degraded(program: Program, monitor: CounterMonitor) -> None:
    """Assert that the program reports failed writes, and continues to count jobs."""
    before = monitor.jobs(program)
    eventually(lambda: (program.scrape().value(FAILURES) or 0) > 0)
    eventually(lambda: program.scrape().value(UP) == 0)
    eventually(lambda: monitor.jobs(program) > before + 3)
    assert program.get("/-/healthy")[0] == 200


def wait_for_write(program: Program, filename: str) -> None:
    """Wait until the program has written the state that it kept in memory."""
    written = re.compile(rf'msg="state write works again".*{filename}')
    eventually(lambda: any(written.search(line) for line in program.log))
    eventually(lambda: program.scrape().value(UP) == 1)


def test_a_full_disk_loses_nothing(tmp_path: Path, small_disk: Path) -> None:
    """The program counts in memory and reports it. After it has written the state, a kill loses nothing."""
    clock = ScaledClock()
    sources = [SimulatedDataSource(f"source-{n}") for n in range(3)]
    monitor = CounterMonitor()
    with SimulatedEndpoint(fleet_of(*sources), clock) as service:
        config = config_for(service, small_disk / "state.db")
        with serve(tmp_path, config) as program:
            program.until_ready()
            for source in sources:
                source.routine = busy_source(source.name, clock.now() + 1.5).routine
            eventually(lambda: monitor.jobs(program) > 2)
            filler = fill(small_disk)
            check_degraded(program, monitor)
            filler.unlink()
            wait_for_write(program, "state.db")
            program.kill()
        with serve(tmp_path, config) as program:
            eventually(lambda: monitor.jobs(program) > 0)
            assert finish_jobs(program, sources, clock) > 5


@contextmanager
def failing(program: Program, state: Path, call: str, error: str) -> Iterator[None]:
    """Make a system call of the running program on its state file fail with an error of the kernel."""
    files = [argument for suffix in ("", "-wal") for argument in ("-P", f"{state}{suffix}")]
    command = ["strace", "-f", "-qq", "-o", "/dev/null", *files, "-e", f"inject={call}:error={error}"]
    strace = subprocess.Popen([*command, "-p", str(program.process.pid)])
    try:
        yield
    finally:
        strace.send_signal(signal.SIGINT)
        strace.wait(TIMEOUT)


@pytest.mark.parametrize(
    ("call", "error"), [("pwrite64", "EROFS"), ("pwrite64", "EIO"), ("fdatasync", "EIO"), ("fdatasync", "ENOSPC")]
)
def test_a_failing_disk_loses_nothing(tmp_path: Path, call: str, error: str) -> None:
    """A disk that is read-only, broken or unable to sync loses nothing, and no counter decreases."""
    clock = ScaledClock()
    sources = [SimulatedDataSource(f"source-{n}") for n in range(3)]
    monitor, state = CounterMonitor(), tmp_path / "state.db"
    with SimulatedEndpoint(fleet_of(*sources), clock) as service:
        config = config_for(service, state)
        with serve(tmp_path, config) as program:
            program.until_ready()
            for source in sources:
                source.routine = busy_source(source.name, clock.now() + 1.5).routine
            eventually(lambda: monitor.jobs(program) > 2)
            with failing(program, state, call, error):
                check_degraded(program, monitor)
            wait_for_write(program, "state.db")
            program.kill()
        with serve(tmp_path, config) as program:
            eventually(lambda: monitor.jobs(program) > 0)
            assert finish_jobs(program, sources, clock) > 5


@pytest.mark.parametrize("condition", ["read-only", "full"])
def test_the_program_does_not_start_without_a_writable_state_file(
    tmp_path: Path, small_disk: Path, condition: str
) -> None:
    """The error names the file, the reason and the remedy. Counters that silently restart would be worse."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        config = config_for(service, small_disk / "state.db")
        serve(tmp_path, config)
        if condition == "full":
            fill(small_disk)
        else:
            subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        flags = ["--config.file", str(tmp_path / "config.yaml"), "--web.listen-address", "127.0.0.1:0"]
        command = [sys.executable, "-m", "exporter", *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert f"state file {small_disk / 'state.db'} cannot be opened for writing" in message
    assert "set another state.path" in message
