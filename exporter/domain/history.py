"""What counts, and when: the only place that knows the counting rules.

`fold` takes what one poll read and gives the history that follows from it. It is pure: the same reading folded twice
changes nothing, and within a reading neither order nor repetition matters.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.domain.model import (
    ERROR_CODES,
    IN_PROGRESS,
    INDEXED,
    TERMINAL,
    Accounted,
    DocumentCounts,
    Exemplar,
    Histogram,
    KnownJob,
    Reading,
    SourceHistory,
    SyncJob,
    SyncJobStatus,
    failure_streak,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LATEST_JOBS = 10  # remembered and read back, however old
RETENTION = 86400.0  # at least this long after its end a job is remembered, so that a full reread meets what it knows
LONGEST_GONE = 7 * 86400.0  # a job that AWS no longer lists, and that had not ended, is remembered this long
FRESHEN = 3600.0  # a quiet history takes on the time this often: after a crash it tells how fresh it was
DATE_RESOLUTION = 1.0  # the Date header that as_of comes from is cut to the second
CONNECTOR_CODES = 20  # distinct connector codes a source may use as label values
_OVER = {Accounted.HISTORY, Accounted.FORGOTTEN}
_STATUS_RANK = {str(status): rank for rank, status in enumerate(SyncJobStatus)}


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration says about counting: seconds of `polling.window`, and bounds of the duration buckets."""

    window: float
    duration_buckets: tuple[float, ...]

    @property
    def retention(self) -> float:
        """Give the seconds that a job is remembered after it was over."""
        return max(self.window, RETENTION)


def fold(history: SourceHistory | None, reading: Reading, policy: Policy) -> SourceHistory:
    """Add what one poll read to what is known; None is a source never read before.

    Where nothing but the time has changed, the history given is given back, so that nobody has to do anything.
    """
    if history and reading.as_of - history.as_of < FRESHEN and not _has_news(history, reading):
        return history
    tally = _Tally(history or SourceHistory(watched_since=reading.as_of, as_of=reading.as_of), policy)
    views = defaultdict(list)
    for job in reading.jobs:
        views[job.execution_id].append(job)
    for seen in views.values():
        tally.add(_Sighting.of(seen), reading.until if history is None else None)
    tally.miss(reading)
    after = tally.result(reading.as_of)
    return _forget(after, policy, {job.execution_id for job in newly_ended(history, after)})


def _has_news(history: SourceHistory, reading: Reading) -> bool:
    known = (history.jobs.get(job.execution_id) for job in reading.jobs)
    as_known = (
        before is not None and before.gone_since is None and before.job == job
        for before, job in zip(known, reading.jobs, strict=True)
    )
    return bool(reading.vanished) or not all(as_known)


def rebucket(history: SourceHistory, policy: Policy) -> SourceHistory:
    """Begin the duration histograms anew where the configured buckets are no longer those they were counted in."""
    kept = {s: h for s, h in history.durations.items() if h.bounds == policy.duration_buckets}
    return history if len(kept) == len(history.durations) else replace(history, durations=kept)


def newly_ended(before: SourceHistory | None, after: SourceHistory) -> list[SyncJob]:
    """Give the jobs that `after` has counted and `before` had not, the first to end first."""
    known = before.jobs if before else {}
    ended = [
        now.job
        for execution_id, now in after.jobs.items()
        if now.accounted is Accounted.COUNTED
        and (execution_id not in known or known[execution_id].accounted is Accounted.OPEN)
    ]
    return sorted(ended, key=SyncJob.end_or_start)


@dataclass(frozen=True, slots=True)
class _Sighting:
    """All views of one job in one reading, made one: pages repeat and shift under the reader."""

    job: SyncJob
    lowest: DocumentCounts
    highest: DocumentCounts
    seen_running: bool

    @classmethod
    def of(cls, views: Sequence[SyncJob]) -> _Sighting:
        return cls(
            job=max(views, key=progress),
            lowest=_each(min, [view.documents for view in views]),
            highest=_each(max, [view.documents for view in views]),
            seen_running=any(view.status in IN_PROGRESS for view in views),
        )


class _Tally:
    """A history in the making."""

    def __init__(self, history: SourceHistory, policy: Policy) -> None:
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

    def add(self, seen: _Sighting, first_look: float | None) -> None:
        """Take in one job; `first_look` is when a first look at the source ended."""
        known = self._jobs.get(seen.job.execution_id) or self._meet(seen, first_look)
        highest = _each(max, [known.highest, seen.highest])
        if known.accounted not in _OVER:  # of what was over, an older view may have come first
            self._count_documents(known, highest)
        job = seen.job
        if known.job.is_terminal and not job.is_terminal:
            job = known.job  # an answer older than the one before: what has ended stays ended
        accounted = known.accounted
        if job.is_terminal and accounted is Accounted.OPEN:
            accounted = self._count_end(job, known)
        self._note_success(job)
        self._jobs[job.execution_id] = KnownJob(job, highest, known.whole, accounted)

    def miss(self, reading: Reading) -> None:
        """Mark jobs that had not ended and that AWS no longer knows."""
        for execution_id in reading.vanished & self._jobs.keys():
            known = self._jobs[execution_id]
            if known.gone_since is None:
                self._jobs[execution_id] = replace(known, gone_since=reading.as_of)

    def _meet(self, seen: _Sighting, first_look: float | None) -> KnownJob:
        whole = seen.job.started >= self._before.watched_since and first_look is None
        return KnownJob(
            job=seen.job,
            highest=DocumentCounts() if whole else seen.lowest,
            whole=whole,
            accounted=self._standing(seen, first_look),
        )

    def _standing(self, seen: _Sighting, first_look: float | None) -> Accounted:
        if self._precedes_horizon(seen.job):
            return Accounted.FORGOTTEN  # it had ended, whatever it is called now
        return Accounted.HISTORY if self._was_over(seen, first_look) else Accounted.OPEN

    def _was_over(self, seen: _Sighting, first_look: float | None) -> bool:
        """Tell whether a job had ended before its source was watched."""
        if not seen.job.is_terminal:
            return False
        watched_since, (end, start) = self._before.watched_since, seen.job.end_or_start()
        if seen.seen_running:  # it ended while it was looked at, unless its end says otherwise
            return start < end <= watched_since
        if first_look is None:
            return end <= watched_since
        # It may have ended between the first and the last answer; an end after both is a mistake, and not news.
        return not watched_since + DATE_RESOLUTION < end <= first_look

    def _precedes_horizon(self, job: SyncJob) -> bool:
        # Whatever is not remembered though it began no later than something forgotten was itself forgotten.
        horizon = self._before.horizon
        return horizon is not None and job.started <= horizon

    def _count_documents(self, known: KnownJob, highest: DocumentCounts) -> None:
        for kind, now in highest.items():
            before: int | None = getattr(known.highest, kind)
            if now is None:
                continue
            if before is None:
                before = 0 if known.whole else now
            self._documents[kind] = self._documents.get(kind, 0) + max(0, now - before)

    def _count_end(self, job: SyncJob, known: KnownJob) -> Accounted:
        hidden = known.job.status not in IN_PROGRESS | TERMINAL  # nobody knew whether it was over
        if hidden and job.ended is not None and job.ended <= self._before.watched_since:
            return Accounted.HISTORY
        self._completed[job.status] = self._completed.get(job.status, 0) + 1
        if job.status == SyncJobStatus.FAILED:
            label = self._failure_label(job)
            self._failures[label] = self._failures.get(label, 0) + 1
        if job.duration is not None:
            histogram = self._durations.get(job.status) or Histogram.empty(self._policy.duration_buckets)
            self._durations[job.status] = _observe(histogram, job)
        return Accounted.COUNTED

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


def progress(job: SyncJob) -> tuple[object, ...]:
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


def _forget(history: SourceHistory, policy: Policy, news: set[str]) -> SourceHistory:
    """Drop what nothing needs any more, so that memory follows what is watched and not time; news are told first."""
    kept = _needed(history, policy) | news
    dropped = [known for execution_id, known in history.jobs.items() if execution_id not in kept]
    if not dropped:
        return history
    horizon = max(known.job.started for known in dropped)
    return replace(
        history,
        jobs={execution_id: known for execution_id, known in history.jobs.items() if execution_id in kept},
        horizon=horizon if history.horizon is None else max(horizon, history.horizon),
        forgotten_streak=failure_streak(dropped, history.forgotten_streak),
    )


def _needed(history: SourceHistory, policy: Policy) -> set[str]:
    latest = {job.execution_id for job in history.by_start()[:LATEST_JOBS]}
    last = history.last_completed()
    if last:
        latest.add(last.execution_id)
    return {
        execution_id
        for execution_id, known in history.jobs.items()
        if known.in_progress or execution_id in latest or _is_fresh(known, history.as_of, policy)
    }


def _is_fresh(known: KnownJob, as_of: float, policy: Policy) -> bool:
    if known.gone_since is not None:
        return known.gone_since > as_of - max(policy.retention, LONGEST_GONE)
    end, start = known.job.end_or_start()
    over = end if end <= as_of else start  # an end that is yet to come would be kept for good
    return over > as_of - policy.retention
