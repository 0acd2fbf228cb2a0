"""How late a job's end is counted, for how many requests: ours beside pollers at a fixed interval, over a virtual day.

`python -m benchmarks.polling [SIZE ...]`; without sizes all of the table in benchmarks/README.md.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from benchmarks.polling.organisation import Source, organisation
from benchmarks.polling.rivals import fixed
from benchmarks.polling.simulation import Simulation

if TYPE_CHECKING:
    from collections import Counter

from exporter.cli import logs

START = 1_795_478_400.0  # a Monday, 00:00 UTC
DAY, HOUR = 86400.0, 3600.0
BUDGET = 5.0
SIZES = (50, 500, 2_500, 10_000)
HEAD = ("sources", "poller", "requests/h", "busiest minute, 1/s", "median", "99th", "worst", "by hand, 99th")


def main(sizes: list[int]) -> int:
    """Print the table."""
    logs.configure("error", "logfmt")
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for size in sizes:
        began = time.process_time()
        # The first pass is not measured: a poller runs for months.
        warm_up = HOUR + size * 1.2
        start, end = START, START + warm_up + DAY
        sources = organisation(size, start, end + 4 * HOUR)
        ours = Simulation(sources, start, BUDGET)
        ours.run(end + 4 * HOUR)
        spent = time.process_time() - began
        measured = (start + warm_up, end)
        report(size, "ours", sources, measured, (ours.service.polls, ours.store.counted))
        report(size, "(a) fixed, rereads", sources, measured, fixed(sources, *measured, rereads=True))
        report(size, "(b) fixed, watermark", sources, measured, fixed(sources, *measured, rereads=False))
        hours = (end + 4 * HOUR - start) / HOUR
        listings = sum(ours.service.listings.values()) / hours
        line = f"{size} sources: {listings:.0f} requests/h for discovery; {spent:.0f} s of CPU for {hours:.0f} hours"
        print(line, file=sys.stderr)
    return 0


def report(
    size: int,
    poller: str,
    sources: list[Source],
    measured: tuple[float, float],
    result: tuple[Counter[int], dict[str, float]],
) -> None:
    """Print one line: what was sent within the measured time, and how late what ended then was counted."""
    requests, counted = result
    start, end = measured
    sent = {minute: count for minute, count in requests.items() if start <= minute * 60 < end - 60}
    peak = max(sent.values()) / 60
    delays: dict[bool, list[float]] = {True: [], False: []}
    for source in sources:
        delays[bool(source.schedule)] += [
            counted.get(job.id, float("inf")) - job.ended for job in source.jobs if start <= job.ended < end
        ]
    scheduled, by_hand = (sorted(delays[kind]) for kind in (True, False))
    figures = [
        f"{sum(sent.values()) / len(sent) * 60:,.0f}",
        f"{peak:.1f}",
        *(f"{_quantile(scheduled, share):.1f} s" for share in (0.5, 0.99, 1.0)),
        f"{_quantile(by_hand, 0.99):.1f} s",
    ]
    print(f"| {size:,} | {poller} | {' | '.join(figures)} |", flush=True)


def _quantile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]] or list(SIZES)))
