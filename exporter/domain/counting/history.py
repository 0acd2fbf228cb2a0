"""The counting rules: which sync jobs are counted, and when. They are in this module and in `history_builder`.

`fold` adds the jobs of one poll to the history of a data source. It is a pure function. Folding the same poll twice
changes nothing, and neither the order nor the repetition of jobs within a poll matters.

A job is tracked by its id, and is counted once: when it is first seen in a terminal status. Four cases need more rules,
each of which is described at its place:

- the initial poll, and a job that had ended before its source was watched: `MergedJob.ended_before`
- document counts, which grow while a job is in progress: `HistoryBuilder._count_documents`
- an undocumented status, which may hide the end of a job: `HistoryBuilder._count_end`
- a job that was evicted and is listed again: module `eviction`
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.clock_check import ClockReading, corrected, corrected_before_use
from exporter.domain.counting.eviction import evict
from exporter.domain.counting.explanation import waiting_for_outcome
from exporter.domain.counting.history_builder import HistoryBuilder
from exporter.domain.counting.merged_job import MergedJob
from exporter.domain.counting.source_history import PollData, SourceHistory
from exporter.domain.counting.tracked_job import CountState
from exporter.domain.model import SyncJob
from exporter.domain.units import HOUR

if TYPE_CHECKING:
    from exporter.domain.counting.counting_policy import CountingPolicy

CHECKPOINT_INTERVAL = HOUR  # even an unchanged history is saved this often, so that its age is known after a crash


def fold(history: SourceHistory | None, poll: PollData, policy: CountingPolicy) -> SourceHistory:
    """Return the history after a poll. The history of a source that was never polled is None.

    If only the time has changed, `history` itself is returned, so that nothing is saved or rendered. Once in each
    CHECKPOINT_INTERVAL, a history with the new time is returned.
    """
    if history and poll.as_of - history.as_of < CHECKPOINT_INTERVAL and not _has_changes(history, poll):
        return history
    new = SourceHistory(watched_since=poll.as_of, as_of=poll.as_of, clock_ahead=poll.clock_ahead)
    builder = HistoryBuilder(history or new, policy)
    entries_by_id = defaultdict(list)
    for job in poll.jobs:
        entries_by_id[job.execution_id].append(job)
    for entries in entries_by_id.values():
        builder.add(MergedJob.from_entries(entries), poll.end if history is None else None)
    builder.mark_vanished(poll)
    after = builder.build(poll)
    # Jobs that were just counted are kept, so that the caller can find them with `newly_ended`.
    return evict(after, policy.retention, {job.execution_id for job in newly_ended(history, after)})


def move_start(
    history: SourceHistory, now: ClockReading, policy: CountingPolicy, *, was_polled: bool, is_restored: bool
) -> SourceHistory:
    """Return the history with a corrected `watched_since` if that was read from a wrong clock.

    `is_restored` is as in `ClockReading`. If `watched_since` becomes earlier, jobs that ended after it had been treated
    as ended before. They are counted now, or once their outcome is known. The document counts of a job that was in
    progress at that time are not corrected.
    """
    correct = corrected if was_polled else corrected_before_use
    since = correct(ClockReading(history.watched_since, history.clock_ahead, is_restored), now)
    if since is None:
        return history
    moved = {
        execution_id: tracked
        for execution_id, tracked in history.jobs.items()
        if tracked.count_state is CountState.PRE_EXISTING and tracked.job.end_or_start > since
    }
    jobs = {execution_id: tracked for execution_id, tracked in history.jobs.items() if execution_id not in moved}
    before = replace(history, watched_since=since, clock_ahead=now.ahead, jobs=jobs)
    builder = HistoryBuilder(before, policy)
    for tracked in moved.values():
        job = waiting_for_outcome(tracked.job) if tracked.job.needs_explanation else tracked.job
        builder.add(MergedJob.from_entries([job]), None)
    as_of = min(history.as_of, now.time) if was_polled else since
    return builder.build(PollData((), as_of, as_of, unread=history.unread, unparsed=history.unparsed))


def _has_changes(history: SourceHistory, poll: PollData) -> bool:
    tracked_jobs = (history.jobs.get(job.execution_id) for job in poll.jobs)
    unchanged = (
        tracked is not None and tracked.vanished_at is None and tracked.job == job
        for tracked, job in zip(tracked_jobs, poll.jobs, strict=True)
    )
    is_window_known = poll.window is None or poll.window == history.window
    are_ranges_known = (poll.unread, poll.unparsed) == (history.unread, history.unparsed)
    return bool(poll.vanished) or not are_ranges_known or not is_window_known or not all(unchanged)


def rebucket(history: SourceHistory, policy: CountingPolicy) -> SourceHistory:
    """Return the history without duration histograms whose buckets differ from the configured ones."""
    kept = {status: h for status, h in history.durations.items() if h.bounds == policy.duration_buckets}
    return history if len(kept) == len(history.durations) else replace(history, durations=kept)


def newly_ended(before: SourceHistory | None, after: SourceHistory) -> list[SyncJob]:
    """Return the jobs that are counted in `after` but not in `before`, in the order of their ends."""
    known = before.jobs if before else {}
    ended = [
        tracked.job
        for execution_id, tracked in after.jobs.items()
        if tracked.count_state is CountState.COUNTED
        and (execution_id not in known or known[execution_id].count_state is not CountState.COUNTED)
    ]
    return sorted(ended, key=SyncJob.completion_key)
