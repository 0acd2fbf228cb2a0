"""What counts, and when: the only place that knows the counting rules.

`fold` takes what one poll read and gives the history that follows from it. It is pure: the same reading folded twice
changes nothing, and within a reading neither order nor repetition matters.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.domain.model import ERROR_CODES, IN_PROGRESS, INDEXED, TERMINAL, DocumentCounts, SyncJob, SyncJobStatus
from exporter.domain.source_history import (
    CountState,
    Exemplar,
    Histogram,
    PollData,
    SourceHistory,
    TrackedJob,
    failure_streak,
)
from exporter.domain.units import DATE_RESOLUTION, DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LATEST_JOBS = 10  # remembered and read back, however old
RETENTION = DAY  # at least this long after its end a job is remembered, so that a full reread meets what it knows
LONGEST_GONE = 7 * DAY  # a job that AWS no longer lists, and that had not ended, is remembered this long
CHECKPOINT_INTERVAL = HOUR  # a quiet history takes on the time this often: after a crash it tells how fresh it was
CONNECTOR_CODES = 20  # distinct connector codes a source may use as label values
_OVER = {CountState.PRE_EXISTING, CountState.EVICTED}
_STATUS_RANK = {str(status): rank for rank, status in enumerate(SyncJobStatus)}


@dataclass(frozen=True, slots=True)
class CountingPolicy:
    """What the configuration says about counting: seconds of `polling.window`, and bounds of the duration buckets."""

    window: float
    duration_buckets: tuple[float, ...]

    @property
    def retention(self) -> float:
        """Give the seconds that a job is remembered after it was over."""
        return max(self.window, RETENTION)


def fold(history: SourceHistory | None, reading: PollData, policy: CountingPolicy) -> SourceHistory:
    """Add what one poll read to what is known; None is a source never read before.

    Where nothing but the time has changed, the history given is given back, so that nobody has to do anything.
    """
    if history and reading.as_of - history.as_of < CHECKPOINT_INTERVAL and not _has_news(history, reading):
        return history
    tally = _HistoryBuilder(history or SourceHistory(watched_since=reading.as_of, as_of=reading.as_of), policy)
    views = defaultdict(list)
    for job in reading.jobs:
        views[job.execution_id].append(job)
    for seen in views.values():
        tally.add(_MergedJob.of(seen), reading.until if history is None else None)
    tally.miss(reading)
    after = tally.result(reading.as_of)
    return _evict(after, policy, {job.execution_id for job in newly_ended(history, after)})


def _has_news(history: SourceHistory, reading: PollData) -> bool:
    known = (history.jobs.get(job.execution_id) for job in reading.jobs)
    as_known = (
        before is not None and before.vanished_at is None and before.job == job
        for before, job in zip(known, reading.jobs, strict=True)
    )
    return bool(reading.vanished) or not all(as_known)


def rebucket(history: SourceHistory, policy: CountingPolicy) -> SourceHistory:
    """Begin the duration histograms anew where the configured buckets are no longer those they were counted in."""
    kept = {s: h for s, h in history.durations.items() if h.bounds == policy.duration_buckets}
    return history if len(kept) == len(history.durations) else replace(history, durations=kept)


def newly_ended(before: SourceHistory | None, after: SourceHistory) -> list[SyncJob]:
    """Give the jobs that `after` has counted and `before` had not, the first to end first."""
    known = before.jobs if before else {}
    ended = [
        now.job
        for execution_id, now in after.jobs.items()
        if now.count_state is CountState.COUNTED
        and (execution_id not in known or known[execution_id].count_state is CountState.PENDING)
    ]
    return sorted(ended, key=SyncJob.end_or_start)


@dataclass(frozen=True, slots=True)
class _MergedJob:
    """All views of one job in one reading, made one: pages repeat and shift under the reader."""

    job: SyncJob
    lowest: DocumentCounts
    max_counts: DocumentCounts
    seen_running: bool

    @classmethod
    def of(cls, views: Sequence[SyncJob]) -> _MergedJob:
        return cls(
            job=max(views, key=recency_key),
            lowest=_each(min, [view.documents for view in views]),
            max_counts=_each(max, [view.documents for view in views]),
            seen_running=any(view.status in IN_PROGRESS for view in views),
        )


class _HistoryBuilder:
    """A history in the making."""

    def __init__(self, history: SourceHistory, policy: CountingPolicy) -> None:
        self._before = history
        self._policy = policy
        self._jobs = dict(history.jobs)
        self._completed = dict(history.completed)
        self._failures = dict(history.failures)
        self._documents = dict(history.documents)
        self._durations = dict(history.durations)
        self._succeeded = history.last_succeeded
        self._indexed = history.last_indexed

    def result(self, as_of: float) -> SourceHistory:
        """Give the finished history."""
        return replace(
            self._before,
            as_of=as_of,
            jobs=self._jobs,
            completed=self._completed,
            failures=self._failures,
            documents=self._documents,
            durations=self._durations,
            last_succeeded=self._succeeded,
            last_indexed=self._indexed,
        )

    def add(self, seen: _MergedJob, initial_poll_end: float | None) -> None:
        """Take in one job; `first_look` is when a first look at the source ended."""
        known = self._jobs.get(seen.job.execution_id) or self._track_new(seen, initial_poll_end)
        max_counts = _each(max, [known.max_counts, seen.max_counts])
        if known.count_state not in _OVER:  # of what was over, an older view may have come first
            self._count_documents(known, max_counts)
        job = seen.job
        if known.job.is_terminal and not job.is_terminal:
            job = known.job  # an answer older than the one before: what has ended stays ended
        count_state = known.count_state
        if job.is_terminal and count_state is CountState.PENDING:
            count_state = self._count_end(job, known)
        self._note_success(job)
        self._jobs[job.execution_id] = TrackedJob(job, max_counts, known.counts_from_zero, count_state)

    def miss(self, reading: PollData) -> None:
        """Mark jobs that had not ended and that AWS no longer knows."""
        for execution_id in reading.vanished & self._jobs.keys():
            known = self._jobs[execution_id]
            if known.vanished_at is None:
                self._jobs[execution_id] = replace(known, vanished_at=reading.as_of)

    def _track_new(self, seen: _MergedJob, initial_poll_end: float | None) -> TrackedJob:
        counts_from_zero = seen.job.started >= self._before.watched_since and initial_poll_end is None
        return TrackedJob(
            job=seen.job,
            max_counts=DocumentCounts() if counts_from_zero else seen.lowest,
            counts_from_zero=counts_from_zero,
            count_state=self._initial_state(seen, initial_poll_end),
        )

    def _initial_state(self, seen: _MergedJob, initial_poll_end: float | None) -> CountState:
        if self._was_evicted(seen.job):
            return CountState.EVICTED  # it had ended, whatever it is called now
        return CountState.PRE_EXISTING if self._was_over(seen, initial_poll_end) else CountState.PENDING

    def _was_over(self, seen: _MergedJob, initial_poll_end: float | None) -> bool:
        """Tell whether a job had ended before its source was watched."""
        if not seen.job.is_terminal:
            return False
        watched_since, (end, start) = self._before.watched_since, seen.job.end_or_start()
        if seen.seen_running:  # it ended while it was looked at, unless its end says otherwise
            return start < end <= watched_since
        if initial_poll_end is None:
            return end <= watched_since
        # It may have ended between the first and the last answer; an end after both is a mistake, and not news.
        return not watched_since + DATE_RESOLUTION < end <= initial_poll_end

    def _was_evicted(self, job: SyncJob) -> bool:
        # Whatever is not remembered though it began no later than something forgotten was itself forgotten.
        evicted_through = self._before.evicted_through
        return evicted_through is not None and job.started <= evicted_through

    def _count_documents(self, known: TrackedJob, max_counts: DocumentCounts) -> None:
        for kind, now in max_counts.items():
            before: int | None = getattr(known.max_counts, kind)
            if now is None:
                continue
            if before is None:
                before = 0 if known.counts_from_zero else now
            self._documents[kind] = self._documents.get(kind, 0) + max(0, now - before)

    def _count_end(self, job: SyncJob, known: TrackedJob) -> CountState:
        hidden = known.job.status not in IN_PROGRESS | TERMINAL  # nobody knew whether it was over
        if hidden and job.ended is not None and job.ended <= self._before.watched_since:
            return CountState.PRE_EXISTING
        self._completed[job.status] = self._completed.get(job.status, 0) + 1
        if job.status == SyncJobStatus.FAILED:
            label = self._failure_label(job)
            self._failures[label] = self._failures.get(label, 0) + 1
        if job.duration is not None:
            histogram = self._durations.get(job.status) or Histogram.empty(self._policy.duration_buckets)
            self._durations[job.status] = _observe(histogram, job)
        return CountState.COUNTED

    def _failure_label(self, job: SyncJob) -> tuple[str, str]:
        code = job.error_code or "none"
        if code not in {*ERROR_CODES, "none"}:
            code = "other"
        used = {connector for _, connector in self._failures} - {"", "other"}
        connector = job.connector_error
        if connector and connector not in used and len(used) >= CONNECTOR_CODES:
            connector = "other"
        return code, connector

    def _note_success(self, job: SyncJob) -> None:
        if job.status not in INDEXED:
            return
        # Where a success came without its end, its start is the latest moment that is certain.
        end = job.end_or_start()[0]
        self._indexed = max(end, self._indexed or end)
        if job.status == SyncJobStatus.SUCCEEDED:
            self._succeeded = max(end, self._succeeded or end)


def recency_key(job: SyncJob) -> tuple[object, ...]:
    """Order views of one job by which is the later."""
    # Which of several views of one job is the latest: time is not in them, so what only ever grows has to tell.
    figures = sum(figure or 0 for _, figure in job.documents.items())
    return (job.is_terminal, job.ended or 0.0, figures, _STATUS_RANK.get(job.status, -1), repr(job))


def _each(choose: Callable[[list[int]], int], counts: Iterable[DocumentCounts]) -> DocumentCounts:
    columns = zip(*([figure for _, figure in count.items()] for count in counts), strict=True)
    known = ([figure for figure in column if figure is not None] for column in columns)
    return DocumentCounts(*(choose(figures) if figures else None for figures in known))


def _observe(histogram: Histogram, job: SyncJob) -> Histogram:
    seconds = job.duration or 0.0
    bucket = bisect_left(histogram.bounds, seconds)
    exemplar = Exemplar(job.execution_id, seconds, job.started + seconds)
    counts, exemplars = list(histogram.counts), list(histogram.exemplars)
    counts[bucket] += 1
    exemplars[bucket] = exemplar
    return replace(histogram, counts=tuple(counts), sum=histogram.sum + seconds, exemplars=tuple(exemplars))


def _evict(history: SourceHistory, policy: CountingPolicy, news: set[str]) -> SourceHistory:
    """Drop what nothing needs any more, so that memory follows what is watched and not time; news are told first."""
    kept = _needed(history, policy) | news
    dropped = [known for execution_id, known in history.jobs.items() if execution_id not in kept]
    if not dropped:
        return history
    evicted_through = max(known.job.started for known in dropped)
    return replace(
        history,
        jobs={execution_id: known for execution_id, known in history.jobs.items() if execution_id in kept},
        evicted_through=evicted_through
        if history.evicted_through is None
        else max(evicted_through, history.evicted_through),
        evicted_failure_streak=failure_streak(dropped, history.evicted_failure_streak),
    )


def _needed(history: SourceHistory, policy: CountingPolicy) -> set[str]:
    latest = {job.execution_id for job in history.by_start()[:LATEST_JOBS]}
    last = history.last_completed()
    if last:
        latest.add(last.execution_id)
    return {
        execution_id
        for execution_id, known in history.jobs.items()
        if known.in_progress or execution_id in latest or _is_fresh(known, history.as_of, policy)
    }


def _is_fresh(known: TrackedJob, as_of: float, policy: CountingPolicy) -> bool:
    if known.vanished_at is not None:
        return known.vanished_at > as_of - max(policy.retention, LONGEST_GONE)
    end, start = known.job.end_or_start()
    over = end if end <= as_of else start  # an end that is yet to come would be kept for good
    return over > as_of - policy.retention
