"""Compares the delays and requests of the exporter with those of pollers with a fixed interval, over a virtual day.

`python -m benchmarks.polling [SIZE ...] [--poller GLOB] [--write]`; `--write` replaces rows of benchmarks/README.md.
A day of 10,000 data sources takes minutes, so rows can be measured one by one.
"""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.polling.fixed_interval import poll_at_fixed_interval
from benchmarks.polling.fleet import make_fleet
from benchmarks.polling.simulation import Simulation
from benchmarks.report import table, write_rows
from exporter.cli import logs
from exporter.domain.durations import format_duration
from exporter.domain.units import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.polling.fleet import FleetSource

START = 1_795_478_400.0  # a Monday, 00:00 UTC
RATE = 5.0  # requests per second, the exporter's default
EVENT_DELAYS = (15.0, MINUTE, 5 * MINUTE)  # seconds from the start of a manual sync to the message
AFTERWARDS = 4 * HOUR  # after the measured day, so that its last jobs are counted
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


class Measured(NamedTuple):
    """The requests of each minute, the time when each job was counted, and the requests of discovery in an hour."""

    requests: Counter[int]
    counted: dict[str, float]
    discovery: str = ""


def main(arguments: list[str]) -> int:
    """Simulate each size with each poller, print the rows, and write them into the page if `--write` is set."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.polling")
    parser.add_argument("sizes", metavar="SIZE", type=int, nargs="*", default=SIZES)
    parser.add_argument("--poller", metavar="GLOB", default="*", help="measure only these pollers")
    parser.add_argument("--write", action="store_true", help="replace the rows in benchmarks/README.md")
    options = parser.parse_args(arguments)
    logs.configure(sys.stderr, "error")
    rows = [row for size in options.sizes for row in _rows(size, options.poller)]
    print(table(COLUMNS, rows))
    if options.write:
        write_rows("polling", COLUMNS, rows, _place)
    return 0


def _place(row: Sequence[str]) -> tuple[int, bool, str]:
    """Return the place of a row in the table: by size, and the exporter before the others."""
    size, poller = row[:2]
    return int(size.replace(",", "")), not poller.startswith("exporter"), poller


def _rows(size: int, pollers: str) -> Iterator[list[str]]:
    """Yield a row for each poller that matches."""
    warm_up = HOUR + size * 1.2  # the initial polls are not measured: an exporter runs for months
    measured = (START + warm_up, START + warm_up + DAY)
    fleet = make_fleet(size, START, measured[1] + AFTERWARDS)
    for poller, simulate in _pollers(fleet, *measured).items():
        if fnmatchcase(poller, pollers):
            requests, counted, discovery = simulate()
            figures = [*_request_cells(requests, *measured), *_delay_cells(fleet, counted, *measured)]
            yield [f"{size:,}", poller, *figures, discovery]


def _pollers(fleet: list[FleetSource], start: float, end: float) -> Mapping[str, Callable[[], Measured]]:
    """Return the simulation of each poller by its name."""
    simulate, fixed = partial(_simulate, fleet, end), partial(_poll_at_fixed_interval, fleet, start, end)
    events = {
        f"exporter, events after {format_duration(delay)}": partial(simulate, event_delay=delay)
        for delay in EVENT_DELAYS
    }
    return {
        "exporter": simulate,
        **events,
        "(a) fixed, rereads": partial(fixed, rereads=True),
        "(b) fixed, watermark": partial(fixed, rereads=False),
    }


def _simulate(fleet: list[FleetSource], end: float, event_delay: float | None = None) -> Measured:
    end += AFTERWARDS
    exporter = Simulation(fleet, START, RATE, event_delay)
    exporter.run(end)
    discovery = exporter.service.listings.total() / (end - START) * HOUR
    return Measured(exporter.service.polls, exporter.store.counted, f"{discovery:,.0f}")


def _poll_at_fixed_interval(fleet: list[FleetSource], start: float, end: float, *, rereads: bool) -> Measured:
    return Measured(*poll_at_fixed_interval(fleet, start, end, rereads=rereads))


def _request_cells(requests: Counter[int], start: float, end: float) -> list[str]:
    """Return the requests per hour, and those per second in the busiest minute."""
    sent = [count for minute, count in requests.items() if start <= minute * MINUTE < end - MINUTE]
    return [f"{sum(sent) / len(sent) * HOUR / MINUTE:,.0f}", f"{max(sent) / MINUTE:.1f}"]


def _delay_cells(fleet: list[FleetSource], counted: dict[str, float], start: float, end: float) -> list[str]:
    """Return the delays between the ends of jobs and their counting, for scheduled and for manual syncs."""
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
    sys.exit(main(sys.argv[1:]))
