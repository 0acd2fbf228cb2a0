"""Whether what a program takes has levelled off: the criterion that every soak is held to."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.suites.soak.resource_usage import Vitals

FULL_REREAD_INTERVAL = 7.0  # hours: after six everything is read back once, and what that needs stays
BLOCKS_PER_POLL = 0.3
RESIDENT_SHARE = 0.01
BYTES_PER_SERIES = 700.0  # what one takes: there are more once a data source's job ends as none of its jobs had before
BYTES_PER_JOB = 50.0  # of the state file; what a job that is kept takes there is ten times as much
PAGES = 4 * 4096.0  # bytes by which it may grow since pages are not filled alike


def what_grows(course: Sequence[Vitals], warm_up: float) -> dict[str, str]:
    """Say what goes on growing once all has been read back for the first time, from one half of the time to the next.

    `warm_up` are the hours that the first pass takes. Blocks of memory may not rise by as much as one for three polls,
    resident memory by a hundredth and what new series take, the state file by a tenth of what jobs take that are not
    forgotten. Descriptors and threads may not become more at all.
    """
    settled = [each for each in course if each.hours >= FULL_REREAD_INTERVAL + warm_up]
    half = len(settled) // 2
    assert half > 2, f"{len(settled)} looks after the warm-up say nothing"
    early, late = settled[:half], settled[-half:]

    def mean(name: str, part: Sequence[Vitals]) -> float:
        return fmean(getattr(each, name) for each in part)

    def rise(name: str) -> float:
        return mean(name, late) - mean(name, early)

    allowed = {
        "blocks": BLOCKS_PER_POLL * rise("polls"),
        "resident": RESIDENT_SHARE * mean("resident", early) + BYTES_PER_SERIES * max(0.0, rise("series")),
        "state": PAGES + BYTES_PER_JOB * rise("ended"),
    }
    grows = {
        name: f"{mean(name, early):,.0f} {name} became {mean(name, late):,.0f}, and {limit:,.0f} more are allowed"
        for name, limit in allowed.items()
        if rise(name) >= limit
    }
    for name in ("descriptors", "threads"):
        before, after = (max(getattr(each, name) for each in part) for part in (early, late))
        if after > before:
            grows[name] = f"{before} {name} became {after}"
    return grows
