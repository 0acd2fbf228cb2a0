"""The criterion of every soak: the allowed increase of resource usage."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.suites.soak.resource_usage import ResourceUsage

FULL_REREAD_HOURS = 7.0  # after six hours the exporter rereads all sources once, and keeps the memory that this takes
BLOCKS_PER_POLL = 0.3
RESIDENT_SHARE = 0.01
BYTES_PER_SERIES = 700.0  # a source gets new series when one of its jobs has a terminal status for the first time
BYTES_PER_JOB = 50.0  # of the state file; a job that is kept takes ten times as much
STATE_PAGES = 4 * 4096.0  # bytes; pages of the state file are not filled evenly


def find_growth(samples: Sequence[ResourceUsage], warm_up: float) -> dict[str, str]:
    """Return a message for each resource whose usage increases beyond its limit.

    Compares the two halves of the time after the first full reread. `warm_up` is the duration of the first pass in
    hours. Memory blocks may increase by less than one for three polls, resident memory by 1 % and the size of new
    series, and the state file by a tenth of the size of the ended jobs. File descriptors and threads may not increase.
    A file that only one sample finds open does not count.
    """
    warm = [sample for sample in samples if sample.hours >= FULL_REREAD_HOURS + warm_up]
    half = len(warm) // 2
    assert half > 2, f"{len(warm)} samples after the warm-up are not enough"
    early, late = warm[:half], warm[-half:]

    def mean(name: str, part: Sequence[ResourceUsage]) -> float:
        return fmean(getattr(sample, name) for sample in part)

    def increase(name: str) -> float:
        return mean(name, late) - mean(name, early)

    limits = {
        "blocks": BLOCKS_PER_POLL * increase("polls"),
        "resident": RESIDENT_SHARE * mean("resident", early) + BYTES_PER_SERIES * max(0.0, increase("series")),
        "state": STATE_PAGES + BYTES_PER_JOB * increase("ended"),
    }
    growth = {
        name: f"{name} increased from {mean(name, early):,.0f} to {mean(name, late):,.0f}, limit +{limit:,.0f}"
        for name, limit in limits.items()
        if increase(name) >= limit
    }
    for name in ("descriptors", "threads"):
        before = max(getattr(sample, name) for sample in early)
        after = min(getattr(sample, name) for sample in late[-2:])
        if after > before:
            growth[name] = f"{name} increased from {before} to {after}"
    return growth
