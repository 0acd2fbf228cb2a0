"""What a poller at a fixed interval would do: asked of the jobs themselves, with no limit on its requests."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections import Counter
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.polling.organisation import Source

INTERVAL = 60.0
WINDOW = 86400.0
PAGE = 10
LATENCY = 0.08


def fixed(sources: list[Source], start: float, end: float, *, rereads: bool) -> tuple[Counter[int], dict[str, float]]:
    """Give its requests by the minute, and when it counts each job; it rereads the window, or asks from a watermark."""
    dice = random.Random(2)  # noqa: S311 (a simulation that repeats)
    requests: Counter[int] = Counter()
    counted: dict[str, float] = {}
    for source in sources:
        phase = start + dice.uniform(0, INTERVAL)
        for number in range(ceil((end - phase) / INTERVAL)):
            now = phase + number * INTERVAL
            pages = _pages(source, now) if rereads else 1
            requests[int(now // 60)] += pages
        for job in source.jobs:
            if start <= job.ended < end:
                asked = phase + ceil((job.ended - phase) / INTERVAL) * INTERVAL
                counted[job.id] = asked + LATENCY
    return requests, counted


def _pages(source: Source, now: float) -> int:
    """Give the pages, newest first, until one reaches beyond the window or is the last."""
    within = bisect_right(source.starts, now) - bisect_left(source.starts, now - WINDOW)
    return max(1, min(within // PAGE + 1, -(-bisect_right(source.starts, now) // PAGE)))
