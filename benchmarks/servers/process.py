"""A server process, and the resources that it uses: memory, descriptors, CPU time."""

from __future__ import annotations

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
KILL_SECONDS = 10.0
MEGABYTE = 1e6
_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Server:
    """A running server."""

    name: str
    process: subprocess.Popen[str]
    port: int

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
        """Send SIGTERM; return the seconds until the process has ended, or None if it does not end in time."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        return time.monotonic() - started


@contextmanager
def running(name: str, *, page: str = "large", tls: Path | None = None) -> Iterator[Server]:
    """Run a server, and kill it at the end; raise RuntimeError if it does not start."""
    command = [str(PYTHON), "-m", "benchmarks.servers.serve", name, page, str(tls or "-")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 (this package)
    try:
        yield Server(name, process, _port(process))
    finally:
        process.kill()
        process.communicate()


def _port(process: subprocess.Popen[str]) -> int:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError(f"the server did not start: exit code {process.wait()}")
    return int(line)


def kernel_memory() -> float:
    """Return the megabytes that the kernel holds for the TCP sockets of all processes."""
    found = re.search(r"^TCP:.* mem (\d+)$", Path("/proc/net/sockstat").read_text(), re.MULTILINE)
    return int(found[1]) * _PAGE / MEGABYTE if found else 0.0


def install() -> None:
    """Install hypercorn and the exporter into their own environment, unless they are installed."""
    command = [ROOT / "tests" / "install-python", PYTHON.parents[1], "benchmarks/servers/requirements.txt"]
    environment = {**os.environ, "PYTHON": sys.executable}
    subprocess.run(list(map(str, command)), check=True, cwd=ROOT, env=environment)  # noqa: S603 (our own script)
