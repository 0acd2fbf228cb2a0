"""A sync job in the history: its last entry, and how much of the job is in the totals."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from exporter.domain.counting.content import reached_index
from exporter.domain.model import DocumentCounts, SyncJob

if TYPE_CHECKING:
    from collections.abc import Iterable


class CountState(StrEnum):
    """Whether the end of a job is in the totals. The values are part of the state file's format."""

    PENDING = "open"  # the job has not ended
    COUNTED = "counted"  # the job ended while its source was watched, and is in the totals
    PRE_EXISTING = "history"  # the job had ended before its source was watched, and is never counted
    EVICTED = "forgotten"  # the job ended, was evicted and has been listed again: it changes no total


class TrackedJob(Struct, frozen=True):
    """The last entry of a job, and how much of the job is in the totals.

    `max_counts` has the highest document counts seen so far. `counts_from_zero` is true if all documents of the job
    count, and false if only the documents count that were processed after the job was first seen. `vanished_at` is the
    time at which AWS no longer listed the job although it had not ended.
    """

    job: SyncJob
    max_counts: DocumentCounts
    counts_from_zero: bool
    count_state: CountState = CountState.PENDING
    vanished_at: float | None = None

    @property
    def has_content(self) -> bool:
        """Whether the job indexed content, by the highest counts that a response had."""
        return reached_index(self.job, self.max_counts)


def ended_jobs(tracked_jobs: Iterable[TrackedJob]) -> list[TrackedJob]:
    """Return the ended jobs, without those that a streak of evicted jobs already counts."""
    return [
        tracked for tracked in tracked_jobs if tracked.job.is_terminal and tracked.count_state is not CountState.EVICTED
    ]
