"""Measures scrapes of the exporter over HTTP, and compares them with the server of prometheus_client.

`python -m benchmarks.scrape [SIZE ...]`; without sizes, the results are written into benchmarks/README.md.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import environment, table, write_section
from benchmarks.scrape.exporter import FULL_RATE, STILL, exporter, fill_state
from benchmarks.scrape.fleet import FleetProcess
from benchmarks.scrape.scraper import KINDS, Kind, Latency, fetch, scrape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIZES = (100, 1_000, 2_500, 10_000)
SCRAPES, REFERENCE_SCRAPES = 200, 5
PAUSE = 0.05  # seconds between scrapes, in which the exporter polls
WARM_UP = 5.0  # seconds of polls before the measurement, in which the SDK loads its models
CHANGED_SOURCES = 20  # sources whose new data are awaited
VISIBLE_TIMEOUT = 180.0  # seconds

LATENCY_COLUMNS = (
    "sources",
    "format",
    "encoding",
    "size",
    "idle, median / 99th",
    "polling, median / 99th",
    "prometheus_client",
    "ratio of medians",
)
MEMORY_COLUMNS = ("sources", "series", "resident", "most ever resident", "response to visible, median / worst")


@dataclass(frozen=True, slots=True)
class Measurement:
    """The results for a fleet of some size."""

    size: int
    idle: Mapping[Kind, Latency]
    polling: Mapping[Kind, Latency]
    reference: Mapping[Kind, Latency]
    exposition: str
    resident: float  # MiB
    peak: float  # MiB
    visible: list[float]  # seconds

    def latency_rows(self) -> Iterator[list[str]]:
        """Yield a row for each format and encoding."""
        for kind in KINDS:
            yield [
                f"{self.size:,}",
                *kind,
                f"{len(self.exposition) / 1e6:.1f} MB",
                str(self.idle[kind]),
                str(self.polling[kind]),
                f"{self.reference[kind].median:,.0f} ms",
                f"{self.reference[kind].median / self.idle[kind].median:.0f}",
            ]

    def memory_row(self) -> list[str]:
        """Return the row with the memory of the process, and the time until new data are visible."""
        series = sum(not line.startswith("#") for line in self.exposition.splitlines())
        visible = "not measured"
        if self.visible:
            visible = f"{statistics.median(self.visible) * 1000:.0f} / {max(self.visible) * 1000:.0f} ms"
        return [f"{self.size:,}", f"{series:,}", f"{self.resident:.0f} MB", f"{self.peak:.0f} MB", visible]


def main(sizes: list[int]) -> int:
    """Measure each size, print the tables, and write them into the page if no sizes are given."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    measurements = [_measure(size) for size in sizes or SIZES]
    latencies = table(LATENCY_COLUMNS, [row for each in measurements for row in each.latency_rows()])
    memory = table(MEMORY_COLUMNS, [each.memory_row() for each in measurements])
    results = f"{environment()}\n\n{latencies}\n\n{memory}"
    print(results)
    if not sizes:
        write_section("scrape", results)
    return 0


def _measure(size: int) -> Measurement:
    with tempfile.TemporaryDirectory() as folder:
        fleet = FleetProcess(size)
        try:
            fill_state(Path(folder), size, fleet)
            return _measure_in(Path(folder), size, fleet)
        finally:
            fleet.stop()


def _measure_in(folder: Path, size: int, fleet: FleetProcess) -> Measurement:
    with exporter(folder, fleet.url, STILL) as (port, _), _reference(folder, port) as reference_port:
        idle = {kind: Latency.of([scrape(port, *kind) for _ in range(SCRAPES)]) for kind in KINDS}
        reference = {
            kind: Latency.of([scrape(reference_port, *kind) for _ in range(REFERENCE_SCRAPES)]) for kind in KINDS
        }
    with exporter(folder, fleet.url, FULL_RATE) as (port, process):
        time.sleep(WARM_UP)
        polling = {kind: Latency.of(list(_scrapes_between_polls(port, kind))) for kind in KINDS}
        visible = _seconds_until_visible(port, fleet)
        exposition = fetch(port)
        resident, peak = (_memory(process, name) for name in ("VmRSS", "VmHWM"))
    return Measurement(size, idle, polling, reference, exposition, resident, peak, visible)


def _scrapes_between_polls(port: int, kind: Kind) -> Iterator[float]:
    for _ in range(SCRAPES):
        time.sleep(PAUSE)
        yield scrape(port, *kind)


def _seconds_until_visible(port: int, fleet: FleetProcess) -> list[float]:
    """Return the seconds from AWS's response with new data to the end of the first scrape that has them."""
    before = _failed_jobs(fetch(port))
    sources = fleet.add_failed_jobs(CHANGED_SOURCES)
    visible_at: dict[str, float] = {}
    deadline = time.monotonic() + VISIBLE_TIMEOUT
    while len(visible_at) < len(sources) and time.monotonic() < deadline:
        failed = _failed_jobs(fetch(port))
        now = time.monotonic()
        for source in sources:
            if failed.get(source, 0) > before.get(source, 0):
                visible_at.setdefault(source, now)
    responses = fleet.first_responses(sources)
    return [visible_at[source] - responses[source] for source in visible_at]


def _failed_jobs(exposition: str) -> dict[str, float]:
    pattern = r'^qbusiness_sync_jobs_completed_total\{.*data_source_id="([^"]+)".*status="FAILED".* (\S+)$'
    return {source: float(count) for source, count in re.findall(pattern, exposition, re.MULTILINE)}


@contextmanager
def _reference(folder: Path, port: int) -> Iterator[int]:
    """Run the server of prometheus_client with the metrics that the exporter has now; yield its port."""
    (folder / "metrics").write_text(fetch(port, "OpenMetrics"))
    command = [sys.executable, "-m", "benchmarks.scrape.reference", str(folder / "metrics")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (our own program)
        try:
            yield int(process.stdout.readline()) if process.stdout else 0
        finally:
            process.terminate()


def _memory(process: int, name: str) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)[1]) / 1024  # type: ignore[index] # Linux has it


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]]))
