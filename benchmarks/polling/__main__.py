"""Compares the delays and requests of the exporter with those of pollers with a fixed interval, over a virtual day.

`python -m benchmarks.polling [SIZE ...]`; without sizes, the results are written into benchmarks/README.md.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.polling.fixed_interval import poll_at_fixed_interval
from benchmarks.polling.fleet import make_fleet
from benchmarks.polling.simulation import Simulation
from benchmarks.report import table, write_section
from exporter.cli import logs
from exporter.config import format_duration
from exporter.domain.units import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from benchmarks.polling.fleet import Source

START = 1_795_478_400.0  # a Monday, 00:00 UTC
RATE = 5.0  # requests per second, the exporter's default
EVENT_DELAYS = (15.0, MINUTE, 5 * MINUTE)  # seconds from the start of a manual sync to the message
SIZES = (50, 500, 2_500, 10_000)
COLUMNS = (
    "sources",
    "poller",
    "requests/h",
    "busiest minute, 1/s",
    "median",
    "99th",
    "worst",
    "manual, 99th",
    "discovery, requests/h",
)


def main(sizes: list[int]) -> int:
    """Simulate each size, print the table, and write it into the page if no sizes are given."""
    logs.configure(sys.stderr, "error")
    results = table(COLUMNS, [row for size in sizes or SIZES for row in _rows(size)])
    print(results)
    if not sizes:
        write_section("polling", results)
    return 0


def _rows(size: int) -> Iterator[list[str]]:
    """Yield a row for each poller."""
    warm_up = HOUR + size * 1.2  # the initial polls are not measured: an exporter runs for months
    measured = (START + warm_up, START + warm_up + DAY)
    end = measured[1] + 4 * HOUR
    fleet = make_fleet(size, START, end)
    exporters = {"exporter": Simulation(fleet, START, RATE)}
    exporters |= {
        f"exporter, events after {format_duration(delay)}": Simulation(fleet, START, RATE, delay)
        for delay in EVENT_DELAYS
    }
    for exporter in exporters.values():
        exporter.run(end)
    discovery = {
        poller: f"{exporter.service.listings.total() / (end - START) * HOUR:,.0f}"
        for poller, exporter in exporters.items()
    }
    results = {
        **{poller: (exporter.service.polls, exporter.store.counted) for poller, exporter in exporters.items()},
        "(a) fixed, rereads": poll_at_fixed_interval(fleet, *measured, rereads=True),
        "(b) fixed, watermark": poll_at_fixed_interval(fleet, *measured, rereads=False),
    }
    for poller, (requests, counted) in results.items():
        figures = [*_request_cells(requests, *measured), *_delay_cells(fleet, counted, *measured)]
        yield [f"{size:,}", poller, *figures, discovery.get(poller, "")]


def _request_cells(requests: Counter[int], start: float, end: float) -> list[str]:
    """Return the requests per hour, and those per second in the busiest minute."""
    sent = [count for minute, count in requests.items() if start <= minute * MINUTE < end - MINUTE]
    return [f"{sum(sent) / len(sent) * HOUR / MINUTE:,.0f}", f"{max(sent) / MINUTE:.1f}"]


def _delay_cells(fleet: list[Source], counted: dict[str, float], start: float, end: float) -> list[str]:
    """Return how long after their end jobs were counted, for scheduled and for manual syncs."""
    delays: dict[bool, list[float]] = {True: [], False: []}
    for source in fleet:
        ended = [job for job in source.jobs if start <= job.ended < end]
        delays[bool(source.schedule)] += [counted.get(job.id, float("inf")) - job.ended for job in ended]
    scheduled, manual = (sorted(delays[is_scheduled]) for is_scheduled in (True, False))
    quantiles = [*(_quantile(scheduled, share) for share in (0.5, 0.99, 1.0)), _quantile(manual, 0.99)]
    return [f"{seconds:,.1f} s" for seconds in quantiles]


def _quantile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]]))
