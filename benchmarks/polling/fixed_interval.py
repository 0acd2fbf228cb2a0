"""The baseline: pollers with a fixed interval and no rate limit, calculated from the jobs without a simulation."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections import Counter
from math import ceil
from typing import TYPE_CHECKING

from benchmarks.polling.stand_ins import LATENCY
from exporter.domain.units import DAY, MINUTE
from exporter.providers.qbusiness.service import QBUSINESS

if TYPE_CHECKING:
    from benchmarks.polling.fleet import FleetSource

INTERVAL = MINUTE
WINDOW = DAY


def poll_at_fixed_interval(
    fleet: list[FleetSource], start: float, end: float, *, rereads: bool
) -> tuple[Counter[int], dict[str, float]]:
    """Return the requests of each minute, and the time when each job is counted.

    A poll rereads the window, or starts from a watermark and needs one page.
    """
    rng = random.Random(2)  # noqa: S311 (a simulation that repeats)
    requests: Counter[int] = Counter()
    counted: dict[str, float] = {}
    for source in fleet:
        first_poll = start + rng.uniform(0, INTERVAL)
        for number in range(ceil((end - first_poll) / INTERVAL)):
            now = first_poll + number * INTERVAL
            requests[int(now // MINUTE)] += _pages(source, now) if rereads else 1
        for job in source.jobs:
            if start <= job.ended < end:
                polled = first_poll + ceil((job.ended - first_poll) / INTERVAL) * INTERVAL
                counted[job.id] = polled + LATENCY
    return requests, counted


def _pages(source: FleetSource, now: float) -> int:
    """Return the number of pages, newest first, until a page reaches beyond the window or is the last one."""
    within = bisect_right(source.starts, now) - bisect_left(source.starts, now - WINDOW)
    return max(1, min(within // QBUSINESS.page_size + 1, -(-bisect_right(source.starts, now) // QBUSINESS.page_size)))
