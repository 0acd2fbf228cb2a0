"""How long a scrape takes, beside prometheus_client's own server over the same snapshot, over HTTP in one run.

`python -m benchmarks.scrape [SIZE ...]`; without sizes all of the tables in benchmarks/README.md.
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
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.scrape.exporter import FULL_RATE, STILL, exporter, fill_state
from benchmarks.scrape.organisation import Organisation
from benchmarks.scrape.scraper import ENCODINGS, FORMATS, Latency, fetch, scrape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZES = (100, 1_000, 2_500, 10_000)
SCRAPES, RIVAL_SCRAPES = 200, 3
PAUSE = 0.05  # seconds between scrapes, so that polls get in
WARM_UP = 5.0  # seconds of polls, in which the SDK loads its models, before anything is measured
NEWS = 20  # sources of which something new is awaited

HEAD = (
    "sources",
    "format",
    "encoding",
    "size",
    "idle, median / 99th",
    "polling, median / 99th",
    "prometheus_client",
    "ratio of medians",
)
NOTES_HEAD = ("sources", "series", "resident", "most ever resident", "answered to visible, median / worst")


def main(sizes: list[int]) -> int:
    """Print the tables."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    print(_line(HEAD), _line(["---"] * len(HEAD)), sep="\n")
    notes = [_measure(size) for size in sizes]
    print("", _line(NOTES_HEAD), _line(["---"] * len(NOTES_HEAD)), *notes, sep="\n")
    return 0


def _measure(size: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        organisation = Organisation(size)
        try:
            return _measure_in(Path(folder), size, organisation)
        finally:
            organisation.stop()


def _measure_in(folder: Path, size: int, organisation: Organisation) -> str:
    fill_state(folder, size, organisation)
    kinds = [(wanted, encoding) for wanted in FORMATS for encoding in ENCODINGS]
    with exporter(folder, organisation.url, STILL) as (port, _), _rival(folder, port) as rival:
        idle = {kind: Latency.of([scrape(port, *kind) for _ in range(SCRAPES)]) for kind in kinds}
        theirs = {kind: Latency.of([scrape(rival, *kind) for _ in range(RIVAL_SCRAPES)]) for kind in kinds}
    with exporter(folder, organisation.url, FULL_RATE) as (port, process):
        time.sleep(WARM_UP)
        busy = {kind: Latency.of(list(_scrapes_between_polls(port, *kind))) for kind in kinds}
        visible = _time_to_visible(port, organisation)
        page = fetch(port)
        resident, peak = (_memory(process, name) for name in ("VmRSS", "VmHWM"))
    for wanted, encoding in kinds:
        kind = wanted, encoding
        length = len(page) / 1e6
        ratio = theirs[kind].median / idle[kind].median
        cells = (
            f"{size:,}",
            wanted,
            encoding,
            f"{length:.1f} MB" if encoding == "identity" else "",
            str(idle[kind]),
            str(busy[kind]),
            f"{theirs[kind].median:,.0f} ms",
            f"{ratio:.0f}",
        )
        print(_line(cells), flush=True)
    series = sum(not line.startswith("#") for line in page.splitlines())
    shown = f"{statistics.median(visible) * 1000:.0f} / {max(visible) * 1000:.0f} ms" if visible else "not measured"
    return _line((f"{size:,}", f"{series:,}", f"{resident:.0f} MB", f"{peak:.0f} MB", shown))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _scrapes_between_polls(port: int, wanted: str, encoding: str) -> Iterator[float]:
    for _ in range(SCRAPES):
        time.sleep(PAUSE)
        yield scrape(port, wanted, encoding)


def _time_to_visible(port: int, organisation: Organisation) -> list[float]:
    """Give the seconds from AWS's answer to the first scrape that shows what was in it."""
    before = _failed(fetch(port))
    sources = organisation.add_jobs(NEWS)
    seen: dict[str, float] = {}
    deadline = time.monotonic() + 180
    while len(seen) < len(sources) and time.monotonic() < deadline:
        failed = _failed(fetch(port))
        now = time.monotonic()
        for source in sources:
            if failed.get(source, 0) > before.get(source, 0):
                seen.setdefault(source, now)
    answered = organisation.answered(sources)
    return [seen[source] - answered[source] for source in seen]


def _failed(page: str) -> dict[str, float]:
    pattern = r'^qbusiness_sync_jobs_completed_total\{.*data_source_id="([^"]+)".*status="FAILED".* (\S+)$'
    return {source: float(count) for source, count in re.findall(pattern, page, re.MULTILINE)}


@contextmanager
def _rival(folder: Path, port: int) -> Iterator[int]:
    (folder / "page").write_text(fetch(port, "OpenMetrics"))
    command = [sys.executable, "-m", "benchmarks.scrape.rival", str(folder / "page")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (ourselves)
        try:
            yield int(process.stdout.readline()) if process.stdout else 0
        finally:
            process.terminate()


def _memory(process: int, name: str) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)[1]) / 1024  # type: ignore[index] # Linux has it


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]] or list(SIZES)))
