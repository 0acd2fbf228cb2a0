"""Processes of the program, forked from a server that has imported it.

A start takes a second of CPU time, almost all of it for imports, and the tests start the program hundreds of times. A
forked process is a real one: it has its own id, environment, folder and streams, and handles signals. Variables that
the dynamic loader or the interpreter read at their start, such as LD_PRELOAD, have no effect on it. A test that needs
them sets the command of `harness.Program`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import exporter.__main__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.context import ForkServerContext

IMPORTED = (
    *(f"exporter.cli.{command}" for command in ("serve", "demo", "check", "discover", "export", "backfill")),
    *(f"exporter.cli.{command}" for command in ("policy", "plan", "rules", "documents", "state")),
    "exporter.providers.registry",
    __name__,
)
STDOUT, STDERR = 1, 2


class ProgramProcess:
    """A process of the program, with the interface of subprocess.Popen as far as tests use it."""

    def __init__(
        self,
        arguments: list[str],
        folder: Path | None,
        environment: Mapping[str, str],
        stderr: int = subprocess.PIPE,
        stdout: int = subprocess.PIPE,
    ) -> None:
        """Start the program. Its output is read from `stdout` and `stderr`, unless these are other descriptors."""
        self.stdout, child_stdout = _stream(stdout)
        self.stderr, child_stderr = _stream(stderr)
        with child_stdout, child_stderr:
            call = (arguments, str(folder or Path.cwd()), dict(environment), child_stdout, child_stderr)
            self._process = _server().Process(target=_run, args=call, daemon=True)
            self._process.start()

    @property
    def pid(self) -> int:
        """The id of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process and return its exit code; raise TimeoutExpired if it does not end."""
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("qbusiness-exporter", timeout or 0)
        return code

    def communicate(self) -> tuple[str | None, str | None]:
        """Read both streams to their ends, wait for the end of the process, and return what it wrote."""
        with ThreadPoolExecutor(2) as readers:
            output, log = readers.map(_read, (self.stdout, self.stderr))
        self.wait()
        return output, log

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process, unless it has ended."""
        self.send_signal(signal.SIGKILL)


def run_command(
    *arguments: str | Path,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdout: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; return its exit code, and its output unless that goes to another descriptor."""
    words = [str(word) for word in arguments]
    process = ProgramProcess(words, folder, os.environ if environment is None else environment, stdout=stdout)
    output, log = process.communicate()
    return subprocess.CompletedProcess(words, process.wait(), output, log)


def _read(stream: TextIO | None) -> str | None:
    if stream is None:
        return None
    with stream:
        return stream.read()


def _stream(descriptor: int) -> tuple[TextIO | None, Connection]:
    """Return both ends of a pipe, or only the end of the program. Multiprocessing passes descriptors as connections."""
    if descriptor != subprocess.PIPE:
        return None, _connection(os.dup(descriptor))
    reader, writer = os.pipe()
    return os.fdopen(reader), _connection(writer)


def _connection(descriptor: int) -> Connection:
    return Connection(descriptor, readable=False)


@cache
def _server() -> ForkServerContext:
    """Return the context whose server starts with the first process, once per worker of pytest."""
    context = get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    return context


def _run(
    arguments: list[str], folder: str, environment: dict[str, str], stdout: Connection, stderr: Connection
) -> None:
    """Become the program, in the forked process."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for connection, descriptor in ((stdout, STDOUT), (stderr, STDERR)):
        os.dup2(connection.fileno(), descriptor)
        connection.close()
    sys.stdout, sys.stderr = (os.fdopen(descriptor, "w", closefd=False) for descriptor in (STDOUT, STDERR))
    sys.argv = ["qbusiness-exporter", *arguments]
    exporter.__main__.run()
