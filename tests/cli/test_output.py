"""Every command that prints, with a stdout that its reader has closed, or that is full."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from exporter.cli.output import atomic_output
from tests.support.oneshot import environment, settings
from tests.support.program_process import run_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.simulator.server import SimulatedEndpoint

    Run = Callable[[SimulatedEndpoint, Path, list[str], int], subprocess.CompletedProcess[str]]

COMMANDS = [["policy"], ["plan"], ["export"], ["backfill"], ["discover"], ["check"], ["check", "--probe"], ["--help"]]


def fork(service: SimulatedEndpoint, folder: Path, command: list[str], stdout: int) -> subprocess.CompletedProcess[str]:
    """Run a command with another stdout."""
    return run_command(*command, folder=folder, environment=environment(service), stdout=stdout)


def start(
    service: SimulatedEndpoint, folder: Path, command: list[str], stdout: int
) -> subprocess.CompletedProcess[str]:
    """Run a command with another stdout in a new interpreter, which flushes stdout at its end."""
    return run_interpreter([sys.executable, "-m", "exporter", *command], service, folder, stdout)


def start_unbuffered(
    service: SimulatedEndpoint, folder: Path, command: list[str], stdout: int
) -> subprocess.CompletedProcess[str]:
    """Run a command as `start` does, in an interpreter without a buffer for stdout."""
    return run_interpreter([sys.executable, "-u", "-m", "exporter", *command], service, folder, stdout)


def run_interpreter(
    line: list[str], service: SimulatedEndpoint, folder: Path, stdout: int
) -> subprocess.CompletedProcess[str]:
    """Run a command line with another stdout."""
    env = {name: value for name, value in environment(service).items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(line, cwd=folder, env=env, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


CASES = [(fork, command) for command in COMMANDS]
CASES += [(start, ["policy"]), (start_unbuffered, ["--help"]), (start_unbuffered, ["--version"])]
each_command = pytest.mark.parametrize(
    ("run", "command"), CASES, ids=[" ".join((run.__name__, *command)) for run, command in CASES]
)


@pytest.fixture(autouse=True)
def configuration(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """Write the configuration of the commands."""
    (tmp_path / "config.yaml").write_text(settings(service, {}))


@each_command
def test_a_reader_that_closes_stdout_ends_the_command_quietly(
    service: SimulatedEndpoint, tmp_path: Path, run: Run, command: list[str]
) -> None:
    """As in `policy | true`. The exit code is the same as for a program that SIGPIPE ends."""
    reader, writer = os.pipe()
    os.close(reader)
    done = run(service, tmp_path, command, writer)
    os.close(writer)
    assert done.returncode == 141
    assert not [line for line in done.stderr.splitlines() if "level=info" not in line and "level=warn" not in line]


@each_command
def test_a_full_stdout_is_an_error(service: SimulatedEndpoint, tmp_path: Path, run: Run, command: list[str]) -> None:
    """As in `export > /dev/full`. The log has the reason, and the exit code is 1."""
    full = os.open("/dev/full", os.O_WRONLY)
    done = run(service, tmp_path, command, full)
    os.close(full)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.endswith('level=error msg="command failed" error="stdout: No space left on device"')
    assert all(" level=" in line for line in done.stderr.splitlines())


def test_an_output_that_was_written_in_part_is_an_error(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """As on a disk that becomes full. An interpreter without a buffer would not notice the rest."""
    line = ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", sys.executable, "-u", "-m", "exporter", "--help"]
    with (tmp_path / "help").open("wb") as file:
        done = run_interpreter(line, service, tmp_path, file.fileno())
    assert done.returncode == 1
    assert done.stderr.endswith('msg="command failed" error="stdout: File too large"\n')


def test_a_symbolic_link_leads_to_the_output(tmp_path: Path) -> None:
    """The collector may read the file by another path, so the link stays."""
    link, file = tmp_path / "link.prom", tmp_path / "real" / "file.prom"
    file.parent.mkdir()
    link.symlink_to(file)
    with atomic_output(link) as write:
        write([b"up 1\n"])
    assert link.is_symlink()
    assert file.read_bytes() == b"up 1\n"
    assert [path.name for path in file.parent.iterdir()] == ["file.prom"]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    """Its reader waits for the output, so no file replaces it. /dev/null stays a device too."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as readers:
        read = readers.submit(pipe.read_bytes)
        with atomic_output(pipe) as write:
            write([b"up 1\n"])
        assert read.result() == b"up 1\n"
    assert pipe.is_fifo()
