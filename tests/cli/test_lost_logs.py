"""`serve` as a process whose stderr cannot be written: it polls, counts, reloads and stops as always."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import NEW_INTERPRETER, Program, config_for, eventually, fleet_of, free_port, serve
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

DROPPED = "qbusiness_exporter_log_lines_dropped_total"
COMPLETED = "qbusiness_sync_jobs_completed_total"
RELOADED = "qbusiness_exporter_config_last_reload_successful"
PROBLEMS = 1000


@pytest.fixture
def clock() -> ManualClock:
    """Return the clock of the service."""
    return ManualClock(time.time())


@pytest.fixture
def service(clock: ManualClock) -> Iterator[SimulatedEndpoint]:
    """Serve one data source."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr")), clock) as service:
        yield service


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Return the two ends of a pipe; the test closes the ends that it uses up."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def program_with(service: SimulatedEndpoint, tmp_path: Path, stderr: int) -> Program:
    """Return a program that logs to a descriptor, not started yet."""
    program = serve(tmp_path, config_for(service, tmp_path / "state.db"))
    program.listen, program.stderr = f"127.0.0.1:{free_port()}", stderr
    return program


def check_polling(service: SimulatedEndpoint, clock: ManualClock, program: Program) -> None:
    """Add two jobs, one after the other, and expect both in the counter."""
    (_, _, source), *_ = service.fleet.data_sources()
    counted = program.scrape().value(COMPLETED) or 0.0
    for expected in (counted + 1, counted + 2):
        source.jobs.append(PlannedJob(make_id(expected), clock.now(), 1, 1))
        clock.advance(10)
        eventually(partial(counts, program, expected))


@contextmanager
def stopped(program: Program) -> Iterator[None]:
    """Stop the process during the block, so that it does not write."""
    status = Path(f"/proc/{program.process.pid}/stat")
    program.process.send_signal(signal.SIGSTOP)
    eventually(lambda: status.read_text().rpartition(")")[2].split()[0] == "T")
    yield
    program.process.send_signal(signal.SIGCONT)


def counts(program: Program, expected: float) -> bool:
    """Return whether the exporter has counted a number of jobs."""
    return program.scrape().value(COMPLETED) == expected


def check_signals(program: Program, config: Path) -> None:
    """Reload by SIGHUP, with a result that shows, and stop by SIGTERM."""
    valid = config.read_text()
    config.write_text("invalid: {}\n")
    program.process.send_signal(signal.SIGHUP)
    eventually(lambda: program.scrape().value(RELOADED) == 0)
    config.write_text(valid)
    program.process.send_signal(signal.SIGHUP)
    eventually(lambda: program.scrape().value(RELOADED) == 1)
    assert program.stop() == 0


def log_many_lines(program: Program, config: Path) -> None:
    """Reload a configuration with many problems: each of them is a line."""
    valid = config.read_text()
    config.write_text(yaml.safe_dump({f"unknown_{number}": 1 for number in range(PROBLEMS)}))
    assert program.request("POST", "/-/reload")[0] == 500
    config.write_text(valid)


def drop_lines(program: Program, config: Path) -> None:
    """Log lines until the queue for stderr is full, and one more is dropped."""
    dropped = program.scrape().value(DROPPED)
    while program.scrape().value(DROPPED) == dropped:
        log_many_lines(program, config)


def test_the_reader_of_stderr_goes_away(
    service: SimulatedEndpoint, clock: ManualClock, tmp_path: Path, pipe: tuple[int, int]
) -> None:
    """As when a log shipper crashes. Each lost line is counted."""
    reader, writer = pipe
    with program_with(service, tmp_path, writer) as program:
        os.close(writer)
        program.until_ready()
        assert program.scrape().value(DROPPED) == 0
        os.close(reader)
        check_polling(service, clock, program)
        eventually(lambda: (program.scrape().value(DROPPED) or 0) >= 2)
        check_signals(program, tmp_path / "config.yaml")


def test_a_pipe_that_is_not_read(
    service: SimulatedEndpoint, clock: ManualClock, tmp_path: Path, pipe: tuple[int, int]
) -> None:
    """This simulates a log shipper that hangs. When it reads again, it receives whole lines, including later events.

    The program reloads and stops while the pipe is not read.
    """
    reader, writer = pipe
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    folder = tmp_path / ("x" * 250) / ("y" * 100)  # each line contains the path, so that few lines fill the queue
    folder.mkdir(parents=True)
    config = folder / "config.yaml"
    with program_with(service, folder, writer) as program:
        os.close(writer)
        program.until_ready()
        drop_lines(program, config)
        check_polling(service, clock, program)
        log = b""
        while log.count(b"unknown_") < PROBLEMS:
            log += os.read(reader, 1 << 16)
        os.set_blocking(reader, True)
        program.request("POST", "/-/reload")
        while b"configuration applied" not in log.rpartition(b"unknown_")[2]:
            log += os.read(reader, 1 << 16)
        assert all(line.startswith(b"ts=") for line in log.splitlines())
        drop_lines(program, config)
        check_signals(program, config)


def test_a_full_disk_that_has_space_again(service: SimulatedEndpoint, clock: ManualClock, tmp_path: Path) -> None:
    """Lines are lost while the file cannot grow. Then logging resumes on a new line."""
    log = tmp_path / "log"
    descriptor = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    program = program_with(service, tmp_path, descriptor)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**config, "state": {"path": ":memory:"}}))
    with program:
        os.close(descriptor)
        program.until_ready()
        # The limit of the size of files stands for a full disk. It ends in the middle of the next line.
        unlimited = resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE)
        with stopped(program):
            resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (log.stat().st_size + 10, unlimited[1]))
        check_polling(service, clock, program)
        eventually(lambda: (program.scrape().value(DROPPED) or 0) >= 2)
        resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, unlimited)
        check_polling(service, clock, program)
        check_signals(program, tmp_path / "config.yaml")
    lines = log.read_text().splitlines()
    assert len([line for line in lines if not line.startswith("ts=") or len(line) < 30]) == 1  # the torn one
    assert any("msg=stopping" in line for line in lines)  # a poll that ends meanwhile is logged after it


def test_a_closed_stderr_is_not_replaced_by_a_file_of_the_program(
    service: SimulatedEndpoint, clock: ManualClock, tmp_path: Path
) -> None:
    """The state file never gets the number of stderr. Lines are counted as dropped."""
    program = program_with(service, tmp_path, stderr=2)
    program.command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *NEW_INTERPRETER]
    with program:
        program.until_ready()
        assert Path(f"/proc/{program.process.pid}/fd/2").readlink() == Path(os.devnull)
        check_polling(service, clock, program)
        assert (program.scrape().value(DROPPED) or 0) > 0
        check_signals(program, tmp_path / "config.yaml")
