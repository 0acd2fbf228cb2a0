"""Merging the entries of one job: a job can be listed more than once in the responses of a poll.

While the pages are read, new jobs move the others to later pages. The entries of a job may then differ in status and
counts, and the latest entry has to be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.domain.model import IN_PROGRESS, DocumentCounts, SyncJob, SyncJobStatus
from exporter.domain.units import DATE_RESOLUTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_STATUS_RANK = {str(status): rank for rank, status in enumerate(SyncJobStatus)}


@dataclass(frozen=True, slots=True)
class MergedJob:
    """The latest entry of a job, and the facts that only all of its entries together show."""

    job: SyncJob
    min_counts: DocumentCounts
    max_counts: DocumentCounts
    seen_in_progress: bool

    @classmethod
    def from_entries(cls, entries: Sequence[SyncJob]) -> MergedJob:
        """Merge all entries of one job; their order does not matter."""
        return cls(
            job=max(entries, key=recency_key),
            min_counts=merge_counts(min, [entry.documents for entry in entries]),
            max_counts=merge_counts(max, [entry.documents for entry in entries]),
            seen_in_progress=any(entry.status in IN_PROGRESS for entry in entries),
        )

    def ended_before(self, watched_since: float, initial_poll_end: float | None) -> bool:
        """Return whether the job had ended before its source was watched, which makes it PRE_EXISTING.

        Such a job is used for gauges, such as the last completed sync, and never for counters. A job is counted if and
        only if it ended after `watched_since`, the time of the first response of the initial poll.

        In later polls, where `initial_poll_end` is None, it is sufficient to compare the end with `watched_since`. The
        initial poll sends several requests, and a job may end between its first and its last response. Then it ended
        while its source was watched. Dates are truncated to seconds, so an end within the second of `watched_since` was
        before it. An end after the last response is wrong, and does not prove that the job ended while watched.

        Example: the responses of the initial poll are dated 12:00:00 to 12:00:10. Jobs that ended at 11:50:00 and
        12:00:00.5 are PRE_EXISTING, and so is a job with the impossible end 12:05:00. A job that ended at 12:00:05 is
        counted. So is a job that one page lists as SYNCING and a later page as SUCCEEDED: it ended during the poll,
        unless its end is plausible (after its start) and not after 12:00:00.
        """
        if not self.job.is_terminal:
            return False
        end = self.job.end_or_start
        if self.seen_in_progress:
            return self.job.started < end <= watched_since
        if initial_poll_end is None:
            return end <= watched_since
        return not watched_since + DATE_RESOLUTION < end <= initial_poll_end


def recency_key(job: SyncJob) -> tuple[object, ...]:
    """Return a key that sorts entries of one job from the oldest to the latest.

    Entries have no timestamp. The key uses values that only increase: the terminal status, the outcome that is known,
    the end, the counts. The other values make the order total, so that the result does not depend on the order of the
    entries.
    """
    total = sum(count or 0 for _, count in job.documents.items())
    is_final = job.is_terminal and not job.needs_explanation
    return (job.is_terminal, is_final, job.ended or 0.0, total, _STATUS_RANK.get(job.status, -1), repr(job))


def merge_counts(choose: Callable[[list[int]], int], counts: Iterable[DocumentCounts]) -> DocumentCounts:
    """Return one count of each kind, chosen from the known ones."""
    columns = zip(*([count for _, count in entry.items()] for entry in counts), strict=True)
    known = ([count for count in column if count is not None] for column in columns)
    return DocumentCounts(*(choose(column) if column else None for column in known))
