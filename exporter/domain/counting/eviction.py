"""Eviction of old jobs from a history, so that its size does not grow with time.

A job is evicted when it ended long ago and is not one of the latest. The history keeps the latest start of all evicted
jobs in `evicted_through`. It relies on this invariant: every job that started no later than `evicted_through` is
tracked or was evicted. The invariant holds because polls read back to the newest tracked jobs, which started later than
the evicted ones, and because the initial poll searches for older jobs that are still in progress.

An evicted job can appear in a poll again: in a full reread after `polling.window` was increased, or in a stale
response. The history no longer has its id, but its start shows that it was evicted, and it is tracked in the state
EVICTED. The job had ended before it was evicted, or it had vanished long before. So its end, its documents and its
failure change no total now, even if its status is in progress.

During a catch-up (`SourceHistory.unread`), newer jobs are tracked before older ones have been read. The same is true
after entries could not be parsed (`SourceHistory.unparsed`). Then only jobs that started before these ranges are
evicted.

The end of a job with an undocumented status may go unnoticed. Such a job is evicted like one that has vanished, because
otherwise the history would grow with each of them.

Example: a job that started on Monday at 03:00 is counted and is evicted on Tuesday. `evicted_through` is Monday 03:00.
On Friday the window becomes 7 days and the job is listed again. It is not tracked and its start is not later than
Monday 03:00, so it is not counted a second time.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.counting.streaks import FAILURES, WITHOUT_CONTENT
from exporter.domain.counting.tracked_job import TrackedJob, ended_jobs
from exporter.domain.model import IN_PROGRESS
from exporter.domain.units import DAY

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from exporter.domain.counting.source_history import SourceHistory
    from exporter.domain.model import SyncJob

LATEST_JOBS = 10  # jobs that the initial poll reads and that are kept afterwards, regardless of age
MIN_RETENTION = DAY  # ended jobs are kept at least this long, so that a full reread finds them in the history
UNFINISHED_RETENTION = 7 * DAY  # for a job that vanished or has an undocumented status: its end is still counted


def evict(history: SourceHistory, retention: float, keep: AbstractSet[str]) -> SourceHistory:
    """Return the history without the jobs that are not needed any more; jobs in `keep` stay.

    `retention` is in seconds, from the end of a job.
    """
    kept = _needed(history, retention) | keep
    before = _evictable_before(history, keep)
    kept |= {execution_id for execution_id, tracked in history.jobs.items() if tracked.job.started >= before}
    kept |= _ended_after_any(history, kept)
    evicted = [tracked for execution_id, tracked in history.jobs.items() if execution_id not in kept]
    if not evicted:
        return history
    evicted_through = max(tracked.job.started for tracked in evicted)
    if history.evicted_through is not None:
        evicted_through = max(evicted_through, history.evicted_through)
    ended = ended_jobs(evicted)
    return replace(
        history,
        jobs={execution_id: tracked for execution_id, tracked in history.jobs.items() if execution_id in kept},
        evicted_through=evicted_through,
        evicted_failure_streak=FAILURES.length(ended, history.evicted_failure_streak),
        evicted_streak_without_content=WITHOUT_CONTENT.length(ended, history.evicted_streak_without_content),
    )


def _ended_after_any(history: SourceHistory, kept: AbstractSet[str]) -> set[str]:
    """Return the jobs that ended after any of the kept jobs.

    If they are kept too, jobs are evicted in the order of their ends, on which the streak of failures depends. Example:
    a job fails after seven hours. Short jobs that started later have succeeded before that, and are among the latest.
    If the failed job were evicted first, the streak would treat it as earlier than these, and would fall from 1 to 0.
    """
    ended = {id_: tracked.job.completion_key() for id_, tracked in history.jobs.items() if tracked.job.is_terminal}
    first = min((key for execution_id, key in ended.items() if execution_id in kept), default=None)
    return {execution_id for execution_id, key in ended.items() if first is not None and key > first}


def was_evicted(history: SourceHistory, job: SyncJob) -> bool:
    """Return whether an untracked job was tracked earlier, and was evicted."""
    return history.evicted_through is not None and job.started <= history.evicted_through


def _evictable_before(history: SourceHistory, keep: AbstractSet[str]) -> float:
    """Return a start time. Jobs that started then or later may not be evicted yet.

    If later jobs were evicted, unread ones would look evicted as well. If `keep` has older jobs, the order of eviction
    would also differ from the order of the ends, and the streaks would be wrong.
    """
    starts = [history.jobs[execution_id].job.started for execution_id in keep]
    starts += [unknown.start for unknown in (history.unread, history.unparsed) if unknown is not None]
    return min(starts, default=math.inf)


def _needed(history: SourceHistory, retention: float) -> set[str]:
    needed = {job.execution_id for job in history.jobs_newest_first()[:LATEST_JOBS]}
    last = history.last_completed()
    if last:
        needed.add(last.execution_id)
    return needed | {
        execution_id
        for execution_id, tracked in history.jobs.items()
        if _is_within_retention(tracked, history.as_of, retention)
    }


def _is_within_retention(tracked: TrackedJob, as_of: float, retention: float) -> bool:
    job = tracked.job
    if tracked.vanished_at is not None:
        return tracked.vanished_at > as_of - max(retention, UNFINISHED_RETENTION)
    if job.status in IN_PROGRESS:
        return True
    if not job.is_terminal:
        return job.started > as_of - max(retention, UNFINISHED_RETENTION)
    # An end in the future is an error of the clock, which would keep the job forever.
    end = job.end_or_start if job.end_or_start <= as_of else job.started
    return end > as_of - retention
