"""Ended jobs whose outcome is not in a listing. The provider explains each of them once.

Amazon Bedrock lists a job as COMPLETE whether all of its documents were indexed or all of them were ignored. Only the
response to a request for the job itself shows the difference. Listings of other services are complete, so nothing here
applies to their jobs.

- A job that will be counted is explained first, because a counter cannot be corrected. Until then it is treated as in
  progress, as if AWS reported its end later. So the watermark stays before it, and the next poll reads it again.
- A job that had ended before its source was watched is never counted. Until it is explained, it is shown with the worst
  possible status, and its content has not reached the index. A few of these jobs are explained in each poll, the latest
  first, so that first polls stay short.

An explanation is part of the history. So a job that is listed again is not explained again, even after a restart. Its
end and its outcome do not change, and only its document counts are taken from the listing.

Example: a poll lists job A, which was in progress, and job B of last week, both as COMPLETE. A will be counted and is
explained first, B afterwards. If this poll can explain only one job, A is counted, and B is shown as INCOMPLETE for
now.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import structs

from exporter.domain.counting.eviction import was_evicted
from exporter.domain.counting.merged_job import MergedJob
from exporter.domain.counting.tracked_job import CountState
from exporter.domain.model import SyncJobStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.domain.counting.source_history import PollData, SourceHistory
    from exporter.domain.model import SyncJob


@dataclass(frozen=True, slots=True)
class Unexplained:
    """The jobs to explain: jobs that will be counted, the oldest first, and all others, the newest first."""

    due: tuple[SyncJob, ...] = ()
    shown: tuple[SyncJob, ...] = ()


def unexplained(history: SourceHistory | None, poll: PollData) -> Unexplained:
    """Return the unexplained jobs of a poll and of the history."""
    entries: dict[str, list[SyncJob]] = defaultdict(list)
    for job in poll.jobs:
        entries[job.execution_id].append(job)
    listed = {execution_id: MergedJob.from_entries(jobs) for execution_id, jobs in entries.items()}
    due: list[SyncJob] = []
    shown: list[SyncJob] = []
    for merged in listed.values():
        if merged.job.needs_explanation and not _is_explained(history, merged):
            (due if _is_due(history, poll, merged) else shown).append(merged.job)
    tracked_jobs = (tracked.job for tracked in history.jobs.values()) if history else ()
    shown += [job for job in tracked_jobs if job.needs_explanation and job.execution_id not in listed]
    return Unexplained(
        tuple(sorted(due, key=lambda job: job.started)),
        tuple(sorted(shown, key=lambda job: job.started, reverse=True)),
    )


def with_explanations(
    history: SourceHistory | None, poll: PollData, jobs: Unexplained, explained: Mapping[str, SyncJob]
) -> PollData:
    """Return a poll with explained jobs instead of the listed ones. Unexplained jobs that will be counted wait."""
    waiting = {job.execution_id for job in jobs.due} - explained.keys()
    listed = {job.execution_id for job in poll.jobs}
    read = [_known(history, explained, waiting, job) for job in poll.jobs]
    read += [job for execution_id, job in explained.items() if execution_id not in listed]
    return replace(poll, jobs=tuple(read))


def without_outcome(job: SyncJob, reason: str) -> SyncJob:
    """Return a job whose outcome stays unknown, for a reason. It keeps the worst possible status."""
    return structs.replace(job, needs_explanation=False, error_message=f"outcome unknown: {reason}")


def waiting_for_outcome(job: SyncJob) -> SyncJob:
    """Return a job as in progress, because it will be counted and is not explained yet."""
    return structs.replace(job, status=SyncJobStatus.SYNCING, ended=None, needs_explanation=False)


def _is_due(history: SourceHistory | None, poll: PollData, merged: MergedJob) -> bool:
    tracked = history.jobs.get(merged.job.execution_id) if history else None
    if tracked is not None:
        return tracked.count_state is CountState.PENDING
    if history is None:
        return not merged.ended_before(poll.as_of, poll.end)
    return not was_evicted(history, merged.job) and not merged.ended_before(history.watched_since, None)


def _is_explained(history: SourceHistory | None, merged: MergedJob) -> bool:
    return history is not None and _explanation_in(history, merged.job) is not None


def _explanation_in(history: SourceHistory, job: SyncJob) -> SyncJob | None:
    tracked = history.jobs.get(job.execution_id)
    is_known = tracked is not None and tracked.job.is_terminal and not tracked.job.needs_explanation
    return tracked.job if tracked is not None and is_known else None


def _known(
    history: SourceHistory | None, explained: Mapping[str, SyncJob], waiting: Iterable[str], listed: SyncJob
) -> SyncJob:
    """Return a listed job with its outcome, if that is known."""
    if not listed.needs_explanation:
        return listed
    if listed.execution_id in explained:
        return explained[listed.execution_id]
    known = _explanation_in(history, listed) if history else None
    if known is not None:
        return structs.replace(known, documents=listed.documents)
    if listed.execution_id in waiting:
        return waiting_for_outcome(listed)
    return listed
