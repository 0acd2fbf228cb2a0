"""The exporter as a process of its own, over a simulated organisation that it has polled."""

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

    from benchmarks.scrape.organisation import Organisation

FAST = {"requests_per_second": 1000, "concurrency": 8, "interval": "10s", "idle_interval": "10s"}
STILL = {"requests_per_second": 0.01}
FULL_RATE: Mapping[str, object] = {}  # the defaults: at these sizes the budget of 5 a second is always spent


def fill_state(folder: Path, size: int, organisation: Organisation) -> None:
    """Let an exporter see a sync of every source end, so that its state has what an old one has."""
    with exporter(folder, organisation.url, FAST) as (port, _):
        await_series(port, r"^qbusiness_poll_success\{.* 1\.0$", size)
        organisation.end_first_syncs()
        await_series(port, r'^qbusiness_sync_jobs_completed_total\{.*status="SUCCEEDED".* 1\.0$', size)
        await_series(port, r"^qbusiness_sync_running\{.* 1\.0$", -(-size // 10))


def await_series(port: int, pattern: str, count: int) -> None:
    """Wait until so many lines of the metrics are like that."""
    deadline = time.monotonic() + 600
    while (found := len(re.findall(pattern, fetch(port), re.MULTILINE))) < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{pattern}: {found} of {count}")
        time.sleep(1)


@contextmanager
def exporter(folder: Path, url: str, polling: Mapping[str, object]) -> Iterator[tuple[int, int]]:
    """Run the program; give its port and its process."""
    target = {"name": "bench", "region": "us-east-1", "endpoint_url": url, "discovery": {}}
    config = {"targets": [target], "polling": polling, "state": {"path": str(folder / "state.db")}}
    (folder / "config.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "exporter", f"--config.file={folder / 'config.yaml'}"]
    command += ["--web.listen-address=127.0.0.1:0", "--log.format=json"]
    env = {**os.environ, "AWS_ENDPOINT_URL_STS": url}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:  # noqa: S603 (ourselves)
        assert process.stderr is not None  # noqa: S101 (it is a pipe)
        port = _announced_port(process.stderr)
        with _drained(process):
            yield port, process.pid


def _announced_port(log: Iterable[str]) -> int:
    said = []
    for line in log:
        said.append(line)
        if found := re.search(r"127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise RuntimeError(f"the exporter did not start:\n{''.join(said)}")


@contextmanager
def _drained(process: subprocess.Popen[str]) -> Iterator[None]:
    reader = threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True)
    reader.start()
    try:
        yield
    finally:
        process.terminate()
        reader.join(15)
