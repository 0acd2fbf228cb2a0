"""Adds the jobs of one poll to a history, and decides for each job whether it is counted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from exporter.domain.counting.eviction import was_evicted
from exporter.domain.counting.merged_job import merge_counts
from exporter.domain.counting.source_history import Exemplar, Histogram
from exporter.domain.counting.tracked_job import CountState, TrackedJob
from exporter.domain.model import IN_PROGRESS, TERMINAL, DocumentCounts, SyncJobStatus

if TYPE_CHECKING:
    from exporter.domain.counting.counting_policy import CountingPolicy
    from exporter.domain.counting.merged_job import MergedJob
    from exporter.domain.counting.source_history import PollData, SourceHistory
    from exporter.domain.model import SyncJob

MAX_CONNECTOR_CODES = 20  # distinct connector codes that a source may use as label values
_NEVER_COUNTED = {CountState.PRE_EXISTING, CountState.EVICTED}


class HistoryBuilder:
    """Adds the jobs of one poll to a history."""

    def __init__(self, history: SourceHistory, policy: CountingPolicy) -> None:
        self._before = history
        self._policy = policy
        self._jobs = dict(history.jobs)
        self._completed = dict(history.completed)
        self._failures = dict(history.failures)
        self._documents = dict(history.documents)
        self._durations = dict(history.durations)
        self._last_succeeded = history.last_succeeded
        self._last_indexed = history.last_indexed

    def build(self, poll: PollData) -> SourceHistory:
        """Return the new history."""
        return replace(
            self._before,
            as_of=poll.as_of,
            jobs=self._jobs,
            completed=self._completed,
            failures=self._failures,
            documents=self._documents,
            durations=self._durations,
            last_succeeded=self._last_succeeded,
            last_indexed=self._last_indexed,
            unread=poll.unread,
            unparsed=poll.unparsed,
            window=self._window(poll),
        )

    def _window(self, poll: PollData) -> float | None:
        """Return the window in which all jobs are tracked. If the window is shortened, older jobs are evicted."""
        window = self._before.window if poll.window is None else poll.window
        return None if window is None else min(window, self._policy.window)

    def add(self, merged: MergedJob, initial_poll_end: float | None) -> None:
        """Add one job. `initial_poll_end` is the time of the last response of the initial poll, None in later polls."""
        tracked = self._jobs.get(merged.job.execution_id) or self._track_new(merged, initial_poll_end)
        max_counts = merge_counts(max, [tracked.max_counts, merged.max_counts])
        # The first entry of a job that is never counted may have been stale, so its growth is not counted.
        if tracked.count_state not in _NEVER_COUNTED:
            self._count_documents(tracked, max_counts)
        job = merged.job
        if tracked.job.is_terminal and not job.is_terminal:
            job = tracked.job  # the response is stale, because an ended job does not start again
        count_state = tracked.count_state
        if job.is_terminal and count_state is CountState.PENDING:
            count_state = self._count_end(job, tracked)
        after = TrackedJob(job, max_counts, tracked.counts_from_zero, count_state)
        self._record_success(after)
        self._jobs[job.execution_id] = after

    def mark_vanished(self, poll: PollData) -> None:
        """Mark the jobs that had not ended and that AWS no longer lists."""
        for execution_id in poll.vanished & self._jobs.keys():
            tracked = self._jobs[execution_id]
            if tracked.vanished_at is None:
                self._jobs[execution_id] = structs.replace(tracked, vanished_at=poll.as_of)

    def _track_new(self, merged: MergedJob, initial_poll_end: float | None) -> TrackedJob:
        counts_from_zero = merged.job.started >= self._before.watched_since and initial_poll_end is None
        return TrackedJob(
            job=merged.job,
            max_counts=DocumentCounts() if counts_from_zero else merged.min_counts,
            counts_from_zero=counts_from_zero,
            count_state=self._initial_state(merged, initial_poll_end),
        )

    def _initial_state(self, merged: MergedJob, initial_poll_end: float | None) -> CountState:
        if was_evicted(self._before, merged.job):
            return CountState.EVICTED
        is_over = merged.ended_before(self._before.watched_since, initial_poll_end)
        return CountState.PRE_EXISTING if is_over else CountState.PENDING

    def _count_documents(self, tracked: TrackedJob, max_counts: DocumentCounts) -> None:
        """Add the growth of a job's document counts to the totals.

        AWS reports counts per job, which grow while the job is in progress. A count that is lower than before, or that
        is missing, adds nothing, because `max_counts` only increases. So each job adds to a total exactly its highest
        count minus its baseline. The baseline is 0 for a job that started while its source was watched
        (`counts_from_zero`). For a job that was in progress before, it is the lowest count of the first poll that saw
        the job: these documents were processed before the source was watched.

        Example: the initial poll finds a job with 100 scanned documents. Later polls find 130, 90, no count and 150.
        They add 30, 0, 0 and 20. Another job starts after the initial poll and is first seen with 7: it adds 7.
        """
        for kind, count in max_counts.items():
            if count is None:
                continue
            before: int | None = getattr(tracked.max_counts, kind)
            if before is None:
                before = 0 if tracked.counts_from_zero else count
            self._documents[kind] = self._documents.get(kind, 0) + max(0, count - before)

    def _count_end(self, job: SyncJob, tracked: TrackedJob) -> CountState:
        """Add the end of a job to the totals, and return the new state of the job.

        A job that was last seen with an undocumented status may have ended before its source was watched.
        """
        end_was_hidden = tracked.job.status not in IN_PROGRESS | TERMINAL
        if end_was_hidden and job.ended is not None and job.ended <= self._before.watched_since:
            return CountState.PRE_EXISTING
        self._completed[job.status] = self._completed.get(job.status, 0) + 1
        if job.status == SyncJobStatus.FAILED:
            labels = self._failure_labels(job)
            self._failures[labels] = self._failures.get(labels, 0) + 1
        if job.duration is not None:
            histogram = self._durations.get(job.status) or Histogram.empty(self._policy.duration_buckets)
            exemplar = Exemplar(job.execution_id, job.duration, job.started + job.duration)
            self._durations[job.status] = histogram.observe(exemplar)
        return CountState.COUNTED

    def _failure_labels(self, job: SyncJob) -> tuple[str, str]:
        """Return the error code and the connector error code of a job as label values, whose number is limited."""
        code = job.error_code or "none"
        if code not in {*self._policy.error_codes, "none"}:
            code = "other"
        used = {connector for _, connector in self._failures} - {"", "other"}
        connector = job.connector_error
        if connector and connector not in used and len(used) >= MAX_CONNECTOR_CODES:
            connector = "other"
        return code, connector

    def _record_success(self, tracked: TrackedJob) -> None:
        job = tracked.job
        # The counts of an unexplained job may look like content although AWS has ignored all of its documents. The time
        # of the last content never becomes earlier, so it must not be set before the outcome is known.
        if tracked.has_content and not job.needs_explanation:
            self._last_indexed = max(job.end_or_start, self._last_indexed or job.end_or_start)
        if job.status == SyncJobStatus.SUCCEEDED:
            self._last_succeeded = max(job.end_or_start, self._last_succeeded or job.end_or_start)
