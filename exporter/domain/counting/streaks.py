"""Streaks: the number of the latest ended jobs with the same kind of result.

A streak survives the eviction of its jobs: the history stores the streak of the evicted jobs as a number. Jobs are
evicted in the order of their ends. So if all tracked jobs belong to the streak, that number is added.

Example: a source has failed 300 times, and its last 25 jobs are tracked. The streak of the evicted jobs is 275, so the
streak of the source is 25 + 275.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.domain.model import INDEXED, SyncJobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.domain.counting.tracked_job import TrackedJob


@dataclass(frozen=True, slots=True)
class Streak:
    """The ended jobs that a streak counts, and the jobs that end it. A job may do neither."""

    counts: Callable[[TrackedJob], bool]
    ends: Callable[[TrackedJob], bool]

    def length(self, ended: Iterable[TrackedJob], evicted: int) -> int:
        """Return the streak's length up to the job that ended last; `evicted` is the streak of evicted jobs."""
        length = 0
        for tracked in sorted(ended, key=lambda tracked: tracked.job.completion_key(), reverse=True):
            if self.ends(tracked):
                return length
            length += self.counts(tracked)
        return length + evicted


FAILURES = Streak(
    counts=lambda tracked: tracked.job.status == SyncJobStatus.FAILED,
    ends=lambda tracked: tracked.job.status in INDEXED,
)
"""FAILED jobs since the last SUCCEEDED or INCOMPLETE one. An ABORTED job was stopped, which proves neither."""

WITHOUT_CONTENT = Streak(
    counts=lambda tracked: not tracked.has_content,
    ends=lambda tracked: tracked.has_content,
)
"""Ended jobs since content last reached the index."""
