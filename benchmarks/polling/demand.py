"""Calculates the number of polls that the simulated fleet needs in an hour, without a rate limit.

`python -m benchmarks.polling.demand [SIZE ...]`; without sizes, the results are written into benchmarks/README.md.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.polling.fleet import QUEUED_SECONDS, make_fleet
from benchmarks.report import table, write_section
from exporter.domain.units import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from benchmarks.polling.fleet import FleetSource

START = 1_795_478_400.0  # a Monday, 00:00 UTC
SIZES = (500, 2_500, 10_000)
ACTIVE, IDLE, IDLE_WITH_EVENTS = MINUTE, 5 * MINUTE, 30 * MINUTE  # the defaults of the intervals
COLUMNS = (
    "sources",
    "syncs in progress or due, polls/h",
    "idle, every 5m, polls/h",
    "idle, every 30m, polls/h",
)


class ActivePeriod(NamedTuple):
    """A time in which a sync is in progress or due."""

    start: float
    end: float


def main(sizes: list[int]) -> int:
    """Print the table, and write it into the page if no sizes are given."""
    results = table(COLUMNS, [_row(size) for size in sizes or SIZES])
    print(results)
    if not sizes:
        write_section("demand", results)
    return 0


def _row(size: int) -> list[str]:
    fleet = [_active_periods(source) for source in make_fleet(size, START, START + DAY)]
    active = sum((period.end - period.start) / ACTIVE for periods in fleet for period in periods)
    idle = [sum(_idle_polls(periods, interval) for periods in fleet) for interval in (IDLE, IDLE_WITH_EVENTS)]
    return [f"{size:,}", *(f"{polls * HOUR / DAY:,.0f}" for polls in (active, *idle))]


def _active_periods(source: FleetSource) -> list[ActivePeriod]:
    """Return the active times of a source in the day. A scheduled sync is due before it starts."""
    due = sum(QUEUED_SECONDS) / 2 if source.schedule else 0.0
    return [
        ActivePeriod(max(START, job.started - due), min(job.ended, START + DAY))
        for job in source.jobs
        if job.ended > START
    ]


def _idle_polls(periods: list[ActivePeriod], interval: float) -> float:
    """Return the polls between the active times of a source. Each active time restarts the interval."""
    ends, starts = [START, *(period.end for period in periods)], [*(period.start for period in periods), START + DAY]
    return sum(max(0.0, start - end) // interval for end, start in zip(ends, starts, strict=True))


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]]))
