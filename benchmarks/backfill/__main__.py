"""How large the past of an organisation gets, and how long it takes to tell it and to make blocks of it.

`python -m benchmarks.backfill [SIZE ...]`; without sizes the rows of the table in docs/backfill.md. Up to 50 sources go
to a file and through promtool; more are only counted, for not every disk has room for them.
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
from exporter.simulator.fleet import Application, DataSource, Fleet, Index
from exporter.simulator.life import PlannedJob
from exporter.simulator.server import SimulatedQBusiness

SIZES = (50, 500)
ON_DISK = 50
DAY, GB, MB = 86400.0, 1e9, 1e6
SPAN = 90 * DAY
BUDGET = 5.0  # requests a second, the default
BLOCK = "744h"  # the longest blocks that Prometheus makes itself
COLUMNS = (
    "sources",
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
    resident: int


def main(sizes: list[int]) -> int:
    """Print the table."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    print(_line(COLUMNS), _line(["---"] * len(COLUMNS)), sep="\n")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            print(_measure(size, Path(folder)), flush=True)
    return 0


def _measure(size: int, folder: Path) -> str:
    now = time.time()
    sources = [_simulated(source) for source in organisation(size, now - SPAN, now)]
    fleet = Fleet([Application("intranet", [Index("main", sources)])])
    with SimulatedQBusiness(fleet) as service:
        target = {"name": "test", "region": "us-east-1", "endpoint_url": service.url}
        config = {"targets": [target], "polling": {"requests_per_second": 1000}, "state": {"path": ":memory:"}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        os.environ["AWS_ENDPOINT_URL_STS"] = service.url
        past = folder / "past.om" if size <= ON_DISK else None
        told = _tell(folder, past)
        requests = len(service.requests)
    blocks = _make_blocks(past, folder / "blocks") if past else ("not measured", "not measured")
    return _line(
        (
            f"{size:,}",
            f"{requests:,}",
            f"{requests / BUDGET / 60:.0f} min",
            f"{told.samples / 1e6:,.0f} million",
            f"{told.size / GB:.1f} GB",
            f"{told.seconds:.0f} s",
            f"{told.resident / MB:.0f} MB",
            *blocks,
        )
    )


def _simulated(source: Source) -> DataSource:
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
    return DataSource(f"source-{source.id.data_source_id[:8]}", schedule=source.schedule, jobs=jobs)


def _tell(folder: Path, past: Path | None) -> Told:
    words = [sys.executable, "-m", "exporter", "backfill", f"--config.file={folder / 'config.yaml'}", "--since=90d"]
    labels = ["--label=job=qbusiness", "--label=instance=localhost:10142"]
    began, size = time.monotonic(), 0
    with (folder / "log").open("w") as log, (past or Path(os.devnull)).open("wb") as file:
        process = subprocess.Popen([*words, *labels], stdout=subprocess.PIPE, stderr=log)  # noqa: S603 (our own)
        assert process.stdout  # noqa: S101 (a pipe was asked for)
        while piece := process.stdout.read(1 << 20):
            size += file.write(piece)
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
    text = (folder / "log").read_text()
    samples = re.search(r"samples=(\d+)", text)
    if status or samples is None:
        raise SystemExit(text)
    return Told(int(samples[1]), size, time.monotonic() - began, usage.ru_maxrss * 1024)


def _make_blocks(past: Path, blocks: Path) -> tuple[str, str]:
    began = time.monotonic()
    words = ["promtool", "tsdb", "create-blocks-from", "openmetrics", f"--max-block-duration={BLOCK}"]
    subprocess.run([*words, str(past), str(blocks)], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 (found on the PATH)
    took = time.monotonic() - began
    size = sum(file.stat().st_size for file in blocks.rglob("*") if file.is_file())
    return f"{took:.0f} s", f"{size / MB:.0f} MB"


def _line(cells: object) -> str:
    return f"| {' | '.join(cells)} |"  # type: ignore[arg-type] # cells are texts


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]] or list(SIZES)))
