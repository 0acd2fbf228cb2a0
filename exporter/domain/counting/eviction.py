"""Eviction of old jobs from a history, so that its size does not grow with time.

A job is evicted when it ended long ago and is not one of the latest. The history keeps the latest start of all evicted
jobs in `evicted_through`. It relies on this invariant: every job that started no later than `evicted_through` is either
tracked or was evicted. The invariant is true because polls read back to the newest tracked jobs, which started later
than the evicted ones, and the initial poll searches for older jobs that are still in progress.

An evicted job can appear in a poll again: in a full reread after `polling.window` was increased, or in a stale
response. The history no longer has its id, but its start shows that it was evicted, and it is tracked in the state
EVICTED. It had ended before it was evicted, or it had vanished long before. So its end, its documents and its failure
change nothing now, even if its status is in progress.

During a catch-up (`SourceHistory.unread`), newer jobs are tracked while older ones have not been read yet. The same is
true while entries could not be parsed (`SourceHistory.unparsed`). Then only jobs that started before these ranges are
evicted.

A job with an undocumented status may have ended without being recognised. It is evicted like a job that has vanished,
because otherwise the history would grow with each such job.

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

LATEST_JOBS = 10  # this many jobs are read in the initial poll and kept afterwards, no matter how old they are
MIN_RETENTION = DAY  # ended jobs are kept at least this long, so that a full reread finds them in the history
UNFINISHED_RETENTION = 7 * DAY  # for a job that vanished or has an undocumented status: it is counted when it ends


def evict(history: SourceHistory, retention: float, keep: AbstractSet[str]) -> SourceHistory:
    """Return the history without the jobs that are not needed any more, except for those in `keep`.

    `retention` is in seconds, and counts from the end of a job.
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
    """Return the jobs that ended after any of the kept ones.

    With them, jobs are evicted in the order of their ends, on which the streak of failures depends. Example: a job of
    seven hours fails. Short jobs that started after it had succeeded before its end, and they are among the latest. If
    the failed job were evicted first, it would count as one before them, and the streak would fall from 1 to 0.
    """
    ended = {id_: tracked.job.completion_key() for id_, tracked in history.jobs.items() if tracked.job.is_terminal}
    first = min((key for execution_id, key in ended.items() if execution_id in kept), default=None)
    return {execution_id for execution_id, key in ended.items() if first is not None and key > first}


def was_evicted(history: SourceHistory, job: SyncJob) -> bool:
    """Return whether a job that is not tracked was tracked before, and was evicted."""
    return history.evicted_through is not None and job.started <= history.evicted_through


def _evictable_before(history: SourceHistory, keep: AbstractSet[str]) -> float:
    """Return a start time; jobs that started at it or later may not be evicted yet.

    To evict later jobs would make unread ones look evicted as well. It would also evict jobs in another order than that
    of their ends, if older ones are in `keep`, and the streaks would be wrong.
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
    # An end in the future is an error of the clock. With it, the job would be kept forever.
    end = job.end_or_start if job.end_or_start <= as_of else job.started
    return end > as_of - retention
