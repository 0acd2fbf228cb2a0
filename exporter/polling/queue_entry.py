"""Values of the poll queue: the intervals, and the times at which a source is due."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between the starts of two polls, of an active source and of an idle one."""

    active: float
    idle: float


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """The times at which a source is due as an active and as an idle one, and its consecutive failures.

    `is_hinted` is true if it is due as a hinted one.
    """

    active: float | None = None
    idle: float | None = None
    failures: int = 0
    is_hinted: bool = False
