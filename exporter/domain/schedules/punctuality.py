"""How often syncs of a data source are expected to start, by its schedule, the configuration, or its latest syncs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from exporter.domain.units import DAY

if TYPE_CHECKING:
    from exporter.domain.counting.source_history import SourceHistory

MIN_STARTS = 5  # the number of syncs that must have started before a gap is learned
LATEST_STARTS = 10  # the number of syncs from which a gap is learned; the history keeps at least as many
LEARNED_FACTOR = 3
MIN_LEARNED_GAP = DAY


class GapOrigin(StrEnum):
    """The origin of an expected gap."""

    SCHEDULE = "schedule"
    EXPECTED_EVERY = "expected_every"
    LEARNED = "learned"


@dataclass(frozen=True, slots=True)
class ExpectedGap:
    """The longest time between the starts of two syncs that is expected, in seconds."""

    seconds: float
    origin: GapOrigin


@lru_cache(maxsize=4096)  # most data sources have the same few gaps
def configured_gap(of_schedule: float | None, expected_every: float | None) -> ExpectedGap | None:
    """Return the shorter gap of the schedule and the configuration, because both apply."""
    gaps = ((of_schedule, GapOrigin.SCHEDULE), (expected_every, GapOrigin.EXPECTED_EVERY))
    known = [ExpectedGap(seconds, origin) for seconds, origin in gaps if seconds is not None]
    return min(known, key=lambda gap: gap.seconds, default=None)


def learned_gap(history: SourceHistory | None) -> ExpectedGap | None:
    """Return the gap learned from the latest starts; None while too few are known.

    The history keeps the ten latest jobs for as long as AWS lists them, so a restart and an eviction change nothing. A
    range that a catch-up has not read yet would look like one long gap, so only the starts after it are used.
    """
    if history is None:
        return None
    known = (tracked.job.started for tracked in history.jobs.values())
    starts = sorted(start for start in known if start >= history.known_since)
    latest = starts[-LATEST_STARTS:]
    if len(latest) < MIN_STARTS:
        return None
    longest = max(later - earlier for earlier, later in pairwise(latest))
    return ExpectedGap(max(LEARNED_FACTOR * longest, MIN_LEARNED_GAP), GapOrigin.LEARNED)
