"""Merging the entries of one job: a job can be listed more than once in the responses of a poll.

New jobs move the others to later pages while the pages are read. The entries of a job then differ in their status and
counts, and the latest of them has to be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.domain.model import IN_PROGRESS, DocumentCounts, SyncJob, SyncJobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_STATUS_RANK = {str(status): rank for rank, status in enumerate(SyncJobStatus)}


@dataclass(frozen=True, slots=True)
class MergedJob:
    """The latest entry of a job, and what only all of its entries together show."""

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


def recency_key(job: SyncJob) -> tuple[object, ...]:
    """Return a key that sorts entries of one job from the oldest to the latest.

    Entries have no time of their own. The key uses what only increases: the terminal status, the end, the counts. The
    rest makes the order total, so that the result does not depend on the order of the entries.
    """
    total = sum(count or 0 for _, count in job.documents.items())
    return (job.is_terminal, job.ended or 0.0, total, _STATUS_RANK.get(job.status, -1), repr(job))


def merge_counts(choose: Callable[[list[int]], int], counts: Iterable[DocumentCounts]) -> DocumentCounts:
    """Return one count of each kind, chosen from those that are known."""
    columns = zip(*([count for _, count in entry.items()] for entry in counts), strict=True)
    known = ([count for count in column if count is not None] for column in columns)
    return DocumentCounts(*(choose(column) if column else None for column in known))
