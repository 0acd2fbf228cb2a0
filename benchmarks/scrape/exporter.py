"""The exporter as a separate process, with a simulated fleet that it has polled."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.scrape.scraper import fetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from benchmarks.scrape.fleet import FleetProcess

FAST = {"requests_per_second": 1000, "concurrency": 8, "interval": "10s", "idle_interval": "10s"}
STILL = {"requests_per_second": 0.01}
FULL_RATE: Mapping[str, object] = {}  # the defaults: these fleets use the whole rate of 5 requests per second
TIMEOUT = 600.0  # seconds


def fill_state(folder: Path, size: int, fleet: FleetProcess) -> None:
    """Run an exporter until it has counted a sync of every source, so that the state file has all counters."""
    with exporter(folder, fleet.url, FAST) as (port, _):
        await_series(port, r"^qbusiness_poll_success\{.* 1\.0$", size)
        fleet.end_first_syncs()
        await_series(port, r'^qbusiness_sync_jobs_completed_total\{.*status="SUCCEEDED".* 1\.0$', size)
        await_series(port, r"^qbusiness_sync_running\{.* 1\.0$", -(-size // 10))


def await_series(port: int, pattern: str, count: int) -> None:
    """Scrape until at least `count` lines match a pattern."""
    deadline = time.monotonic() + TIMEOUT
    while (found := len(re.findall(pattern, fetch(port), re.MULTILINE))) < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{pattern}: {found} of {count}")
        time.sleep(1)


@contextmanager
def exporter(folder: Path, url: str, polling: Mapping[str, object]) -> Iterator[tuple[int, int]]:
    """Run the exporter with a state file in a folder; yield its port and its process id."""
    target = {"name": "bench", "region": "us-east-1", "endpoint_url": url, "discovery": {}}
    config = {"targets": [target], "polling": polling, "state": {"path": str(folder / "state.db")}}
    (folder / "config.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "exporter", f"--config.file={folder / 'config.yaml'}"]
    command += ["--web.listen-address=127.0.0.1:0", "--log.format=json"]
    env = {**os.environ, "AWS_ENDPOINT_URL_STS": url}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled, and does not compile at each start
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:  # noqa: S603 (our own program)
        assert process.stderr is not None  # noqa: S101 (it is a pipe)
        port = _logged_port(process.stderr)
        with _drained(process):
            yield port, process.pid


def _logged_port(log: Iterable[str]) -> int:
    lines = []
    for line in log:
        lines.append(line)
        if found := re.search(r"127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise RuntimeError(f"the exporter did not start:\n{''.join(lines)}")


@contextmanager
def _drained(process: subprocess.Popen[str]) -> Iterator[None]:
    """Discard the log, so that the process never waits for a full pipe; terminate it at the end."""
    reader = threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True)
    reader.start()
    try:
        yield
    finally:
        process.terminate()
        reader.join(15)
