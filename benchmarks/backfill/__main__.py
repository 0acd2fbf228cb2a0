"""How large the past of an organisation gets, and how long it takes to tell it and to make blocks of it.

`python -m benchmarks.backfill [SOURCES/DAYS ...]`; without any the rows of the table in benchmarks/README.md. It needs
room on the disk: half a gigabyte for a source and 90 days.
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

import yaml

from benchmarks.polling.organisation import Source, organisation
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness

ROWS = ("50/90", "500/9")
DAY, GB, MB = 86400.0, 1e9, 1e6
BUDGET = 5.0  # requests a second, the default
BLOCK = "744h"  # the longest blocks that Prometheus makes itself
COLUMNS = (
    "sources",
    "days",
    "requests",
    "at 5 a second",
    "samples",
    "size",
    "told in",
    "most resident",
    "promtool",
    "blocks",
)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of the command."""

    samples: int
    size: int
    seconds: float
    cpu: float
    resident: int


def main(rows: list[str]) -> int:
    """Print the table."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    print(_line(COLUMNS), _line(["---"] * len(COLUMNS)), sep="\n")
    for row in rows:
        sources, days = map(int, row.split("/"))
        with tempfile.TemporaryDirectory() as folder:
            print(_measure(sources, days, Path(folder)), flush=True)
    return 0


def _measure(size: int, days: int, folder: Path) -> str:
    now = time.time()
    sources = [_simulated(source) for source in organisation(size, now - days * DAY, now)]
    fleet = Fleet([SimulatedApplication("intranet", [SimulatedIndex("main", sources)])])
    with SimulatedQBusiness(fleet) as service:
        target = {"name": "test", "region": "us-east-1", "endpoint_url": service.url}
        config = {"targets": [target], "polling": {"requests_per_second": 1000}, "state": {"path": ":memory:"}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        os.environ["AWS_ENDPOINT_URL_STS"] = service.url
        told = _tell(folder, days)
        requests = len(service.requests)
    return _line(
        (
            f"{size:,}",
            f"{days}",
            f"{requests:,}",
            f"{requests / BUDGET / 60:.0f} min",
            f"{told.samples / 1e6:,.0f} million",
            f"{told.size / GB:.1f} GB",
            f"{told.seconds:.0f} s ({told.cpu:.0f} s CPU)",
            f"{told.resident / MB:.0f} MB",
            *_make_blocks(folder / "past.om", folder / "blocks"),
        )
    )


def _simulated(source: Source) -> SimulatedDataSource:
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


def _tell(folder: Path, days: int) -> Told:
    past, labels = folder / "past.om", ["--label=job=qbusiness", "--label=instance=localhost:10142"]
    flags = [f"--config.file={folder / 'config.yaml'}", f"--output={past}", f"--since={days}d", *labels]
    began = time.monotonic()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "exporter", "backfill", *flags], stderr=log)  # noqa: S603 (our own)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    text = (folder / "log").read_text()
    samples = re.search(r"samples=(\d+)", text)
    if status or samples is None:
        raise SystemExit(text)
    seconds = time.monotonic() - began
    return Told(int(samples[1]), past.stat().st_size, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def _make_blocks(past: Path, blocks: Path) -> tuple[str, str]:
    began = time.monotonic()
    words = [
        "promtool",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        f"--max-block-duration={BLOCK}",
        str(past),
        str(blocks),
    ]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)  # noqa: S603 (found on the PATH)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise SystemExit("promtool failed")
    took = time.monotonic() - began
    size = sum(file.stat().st_size for file in blocks.rglob("*") if file.is_file())
    return f"{took:.0f} s ({usage.ru_utime + usage.ru_stime:.0f} s CPU)", f"{size / MB:.0f} MB"


def _line(cells: object) -> str:
    return f"| {' | '.join(cells)} |"  # type: ignore[arg-type] # cells are texts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(ROWS)))
