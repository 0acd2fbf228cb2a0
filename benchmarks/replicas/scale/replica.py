"""Replicas as separate processes, and the resources that they use."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any, Self

from benchmarks.cpu import process_cpu_seconds
from benchmarks.replicas.scale.fleet import REGION, account
from benchmarks.scrape.scraper import scrape
from tests.suites.soak.resource_usage import resident
from tests.support.harness import NEW_INTERPRETER, Program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

POLL_RATE = 0.5  # polls of each target in a second, so that two processors suffice for all replicas
START_TIMEOUT = 600.0  # seconds; a single replica would load all targets


class MeasuredReplica:
    """A replica with all targets in its configuration; a context manager that kills it at the end."""

    def __init__(self, config: Path, name: str, sts: str) -> None:
        self.address = f"http://{name}.example"
        """The address in its lease, which identifies the lease in the database."""
        environment = {"AWS_ENDPOINT_URL_STS": sts}
        arguments = ["serve", "--config.file", str(config), f"--web.external-url={self.address}"]
        self._program = Program(arguments, environment, NEW_INTERPRETER, start_timeout=START_TIMEOUT)

    def __enter__(self) -> Self:
        """Start the process, and wait until it listens."""
        self._program.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the process."""
        self._program.kill()

    @property
    def cpu(self) -> float:
        """The seconds of CPU time since the start."""
        return process_cpu_seconds(self._program.process.pid)

    @property
    def memory(self) -> int:
        """The bytes of resident memory that are not backed by files."""
        return resident(self._program.process.pid)

    def scrape(self) -> float:
        """Scrape as Prometheus does; return the seconds."""
        return scrape(self._program.address[1], "OpenMetrics", "gzip")

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self._program.process.send_signal(signal.SIGKILL)


def write_config(path: Path, services: Sequence[str], url: str) -> None:
    """Write the configuration of all replicas."""
    targets = list(map(_target, range(len(services)), services))
    config = {"targets": targets, "polling": {"requests_per_second": POLL_RATE}, "state": {"url": url}}
    path.write_text(json.dumps(config))


def _target(number: int, service: str) -> dict[str, Any]:
    role = f"arn:aws:iam::{account(number)}:role/qbusiness-exporter"
    return {"name": f"t{number}", "region": REGION, "endpoint_url": service, "role_arn": role, "discovery": {}}
