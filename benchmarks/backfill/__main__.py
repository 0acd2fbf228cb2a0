"""Measures `backfill` over a simulated fleet, and the creation of blocks from its output.

`python -m benchmarks.backfill [SOURCES/DAYS ...]`; without arguments, it writes the results into benchmarks/README.md.
The output needs half a gigabyte of disk space for each data source and 90 days.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from benchmarks.polling.fleet import FleetSource, make_fleet
from benchmarks.report import environment, table, write_section
from exporter.domain.units import DAY
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS = ("10/90", "100/9")
GB, MB = 1e9, 1e6
DEFAULT_RATE = 5.0  # requests per second
BLOCK = "744h"  # the longest blocks that Prometheus creates itself
LABELS = ("--label=job=qbusiness", "--label=instance=localhost:10142")
COLUMNS = (
    "sources",
    "days",
    "requests",
    "at 5 per second",
    "samples",
    "output",
    "`backfill`",
    "memory",
    f"`promtool`, `--max-block-duration={BLOCK}`",
    "blocks",
)


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources that a process used."""

    seconds: float
    cpu_seconds: float
    memory: int  # bytes, at most

    def times(self) -> str:
        """Return both times."""
        return f"{self.seconds:.0f} s ({self.cpu_seconds:.0f} s CPU)"


def main(runs: list[str]) -> int:
    """Measure each run, print the table, and write it into the page if no runs are given."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    results = f"{environment()}\n\n{table(COLUMNS, [_measure(*map(int, run.split('/'))) for run in runs or RUNS])}"
    print(results)
    if not runs:
        write_section("backfill", results)
    return 0


def _measure(size: int, days: int) -> list[str]:
    now = time.time()
    sources = [_simulated(source) for source in make_fleet(size, now - days * DAY, now)]
    fleet = Fleet([SimulatedApplication("intranet", [SimulatedIndex("main", sources)])])
    with tempfile.TemporaryDirectory() as name, SimulatedEndpoint(fleet) as service:
        folder = Path(name)
        samples, backfill = _backfill(folder, service.url, days)
        output = folder / "backfill.om"
        requests, output_size = len(service.requests), output.stat().st_size
        promtool = _create_blocks(output, folder / "blocks")
        blocks = sum(file.stat().st_size for file in (folder / "blocks").rglob("*") if file.is_file())
    return [
        f"{size:,}",
        f"{days}",
        f"{requests:,}",
        f"{requests / DEFAULT_RATE / 60:.1f} min",
        f"{samples / 1e6:,.0f} million",
        f"{output_size / GB:.1f} GB",
        backfill.times(),
        f"{backfill.memory / MB:.0f} MB",
        promtool.times(),
        f"{blocks / MB:.0f} MB",
    ]


def _simulated(source: FleetSource) -> SimulatedDataSource:
    jobs = [
        PlannedJob(
            job.id,
            job.started,
            0.7 * (job.ended - job.started),
            0.3 * (job.ended - job.started),
            job.status,
            {"added": 7, "modified": 30, "deleted": 1, "failed": 0, "scanned": 1000},
        )
        for job in source.jobs
    ]
    return SimulatedDataSource(f"source-{source.id.data_source_id[:8]}", schedule=source.schedule, jobs=jobs)


def _backfill(folder: Path, url: str, days: int) -> tuple[int, Usage]:
    """Run the command with its output in `backfill.om`; return the number of samples and the resources used."""
    target = {"name": "test", "region": "us-east-1", "endpoint_url": url}
    config = {"targets": [target], "polling": {"requests_per_second": 1000}, "state": {"path": ":memory:"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    os.environ["AWS_ENDPOINT_URL_STS"] = url
    command = [sys.executable, "-m", "exporter", "backfill", f"--config.file={folder / 'config.yaml'}"]
    usage, log = _run([*command, f"--output={folder / 'backfill.om'}", f"--since={days}d", *LABELS], folder)
    samples = re.search(r"samples=(\d+)", log)
    if samples is None:
        raise SystemExit(log)
    return int(samples[1]), usage


def _create_blocks(output: Path, blocks: Path) -> Usage:
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", f"--max-block-duration={BLOCK}"]
    usage, _ = _run([*command, str(output), str(blocks)], output.parent)
    return usage


def _run(command: Sequence[str], folder: Path) -> tuple[Usage, str]:
    """Run a command; return the resources it used, and its stderr. Exit with that text if it fails."""
    started = time.monotonic()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)  # noqa: S603 (our own program, or promtool)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    text = (folder / "log").read_text()
    if process.returncode:
        raise SystemExit(text)
    used = Usage(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
    return used, text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
