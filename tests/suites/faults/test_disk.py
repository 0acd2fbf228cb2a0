"""The running program on disks that are full, read-only or broken, and what is there when they work again."""

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
from exporter.simulator.server import SimulatedQBusiness
from tests.support.harness import Program, config_for, eventually, fleet_of, serve
from tests.support.oracle import DiscoveryObserver, lively, settle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAILURES = "qbusiness_exporter_state_write_failures_total"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on a disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


def works_through(program: Program, watcher: DiscoveryObserver, failures: float) -> None:
    """See that failures are counted, and that counting goes on."""
    before = watcher.jobs(program)
    eventually(lambda: (program.scrape().value(FAILURES) or 0) > failures)
    eventually(lambda: watcher.jobs(program) > before + 3)
    assert program.get("/-/healthy")[0] == 200


def see_it_written(program: Program, filename: str) -> None:
    """See that what was kept in memory is written once the disk works."""
    written = re.compile(rf'msg="state is written again".*{filename}')
    eventually(lambda: any(written.search(line) for line in program.log))


def test_a_full_disk_costs_nothing(tmp_path: Path, small_disk: Path) -> None:
    """It counts on from memory and says so; when there is room all is written, and a kill then loses nothing."""
    clock = ScaledClock()
    sources = [SimulatedDataSource(f"source-{n}") for n in range(3)]
    watcher = DiscoveryObserver()
    with SimulatedQBusiness(fleet_of(*sources), clock) as service:
        config = config_for(service, small_disk / "state.db")
        with serve(tmp_path, config) as program:
            program.until_ready()
            for source in sources:
                source.routine = lively(source.name, clock.now() + 1.5).routine
            eventually(lambda: watcher.jobs(program) > 2)
            filler = fill(small_disk)
            works_through(program, watcher, 0)
            filler.unlink()
            see_it_written(program, "state.db")
            program.kill()
        with serve(tmp_path, config) as program:
            eventually(lambda: watcher.jobs(program) > 0)
            assert settle(program, sources, clock) > 5


@contextmanager
def failing(program: Program, state: Path, call: str, error: str) -> Iterator[None]:
    """Let a system call of a running program on its state fail, as the kernel would."""
    files = [argument for suffix in ("", "-wal") for argument in ("-P", f"{state}{suffix}")]
    command = ["strace", "-f", "-qq", "-o", "/dev/null", *files, "-e", f"inject={call}:error={error}"]
    strace = subprocess.Popen([*command, "-p", str(program.process.pid)])
    try:
        yield
    finally:
        strace.send_signal(signal.SIGINT)
        strace.wait(10)


@pytest.mark.parametrize(
    ("call", "error"), [("pwrite64", "EROFS"), ("pwrite64", "EIO"), ("fdatasync", "EIO"), ("fdatasync", "ENOSPC")]
)
def test_a_disk_that_fails_costs_nothing(tmp_path: Path, call: str, error: str) -> None:
    """Turned read-only, broken, or unable to say that it has written: nothing is lost, and no counter falls."""
    clock = ScaledClock()
    sources = [SimulatedDataSource(f"source-{n}") for n in range(3)]
    watcher, state = DiscoveryObserver(), tmp_path / "state.db"
    with SimulatedQBusiness(fleet_of(*sources), clock) as service:
        config = config_for(service, state)
        with serve(tmp_path, config) as program:
            program.until_ready()
            for source in sources:
                source.routine = lively(source.name, clock.now() + 1.5).routine
            eventually(lambda: watcher.jobs(program) > 2)
            with failing(program, state, call, error):
                works_through(program, watcher, 0)
            see_it_written(program, "state.db")
            program.kill()
        with serve(tmp_path, config) as program:
            eventually(lambda: watcher.jobs(program) > 0)
            assert settle(program, sources, clock) > 5


@pytest.mark.parametrize("trouble", ["read-only", "full"])
def test_it_does_not_start_where_it_cannot_keep_its_state(tmp_path: Path, small_disk: Path, trouble: str) -> None:
    """It says which file, why, and what to do: counters that begin anew without a word would be worse."""
    with SimulatedQBusiness(fleet_of(SimulatedDataSource("hr"))) as service:
        config = config_for(service, small_disk / "state.db")
        serve(tmp_path, config)
        if trouble == "full":
            fill(small_disk)
        else:
            subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        command = [sys.executable, "-m", "exporter", "--config.file", str(tmp_path / "config.yaml")]
        done = subprocess.run(
            [*command, "--web.listen-address", "127.0.0.1:0"], capture_output=True, text=True, check=False, timeout=30
        )
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert f"state file {small_disk / 'state.db'} cannot be opened for writing" in said
    assert "choose another state.path" in said
