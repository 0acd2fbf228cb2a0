"""A server process, and what it uses: memory, descriptors, CPU time."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-servers" / "bin" / "python"
ANY_PORT = "127.0.0.1:0"
START_SECONDS = 20.0
KILL_SECONDS = 10.0
MEGABYTE = 1e6
_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class NotStartedError(Exception):
    """The server did not start. The message is the last line of its standard error."""


@dataclass
class Server:
    """A running server."""

    name: str
    process: subprocess.Popen[str]
    ports: list[int]

    @property
    def port(self) -> int:
        """Return the port of the first address."""
        return self.ports[0]

    def memory(self) -> float:
        """Return the megabytes of private memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
        return int(found[1]) * 1024 / MEGABYTE if found else 0.0

    def descriptors(self) -> int:
        """Return the number of open file descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 (the names alone are counted)

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process has used, in user and system mode."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK

    def stop(self) -> float | None:
        """Send SIGTERM and return the seconds until the process has ended, or None when it does not end in time."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        return time.monotonic() - began


@contextmanager
def running(name: str, *addresses: str, page: str = "large", tls: Path | None = None) -> Iterator[Server]:
    """Run a server, and kill it at the end. Raise NotStartedError when it does not start."""
    command = [PYTHON, "-m", "benchmarks.servers.serve", name, page, tls or "-", *(addresses or [ANY_PORT])]
    process = subprocess.Popen(  # noqa: S603 (this package)
        list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield Server(name, process, _ports(process))
    finally:
        process.kill()
        process.communicate()


def _ports(process: subprocess.Popen[str]) -> list[int]:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        said = process.communicate(timeout=START_SECONDS)[1].strip().splitlines()
        raise NotStartedError(said[-1] if said else f"exit code {process.returncode}")
    ports: list[int] = json.loads(line)
    return ports


def kernel_memory() -> float:
    """Return the megabytes that the kernel holds for TCP sockets, those of all processes together."""
    found = re.search(r"^TCP:.* mem (\d+)$", Path("/proc/net/sockstat").read_text(), re.MULTILINE)
    return int(found[1]) * _PAGE / MEGABYTE if found else 0.0


def install() -> None:
    """Install hypercorn and the exporter into an environment of their own, unless they are there."""
    command = [ROOT / "tests" / "install-python", PYTHON.parents[1], "benchmarks/servers/requirements.txt"]
    environment = {**os.environ, "PYTHON": sys.executable}
    subprocess.run(list(map(str, command)), check=True, cwd=ROOT, env=environment)  # noqa: S603 (our own script)
