"""The values that the poll queue works with: intervals, and when a source is due."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between the starts of two polls of an active source, and of an idle one."""

    active: float
    idle: float


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """The times at which a source is due as an active and as an idle one, and its consecutive failures.

    `is_hinted` is whether it is a hinted one among the active ones.
    """

    active: float | None = None
    idle: float | None = None
    failures: int = 0
    is_hinted: bool = False
