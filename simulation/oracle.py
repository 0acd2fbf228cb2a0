"""The correct values of a data source, within the limits of what an exporter can know.

An exporter knows the service's clock with a precision of a second, and the time of a poll as the span of its requests.
So a total has a lower and an upper bound. They differ only if something happened within that span.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.polling.job_accumulator import MAX_STREAK_LOOKBACK
from exporter.simulator.job import DOCUMENT_KINDS, STATUSES, TERMINAL

if TYPE_CHECKING:
    from exporter.simulator.job import PlannedJob
    from simulation.fleet import PlannedSource

SLACK = 1.1  # seconds; a Date header is truncated to seconds
MAX_LATENCY = 20.0  # the longest duration of a response, by which the time in it may be late, in seconds
COMPLETE = ("SUCCEEDED", "INCOMPLETE")
EITHER = " or ".join(COMPLETE)
MAX_POLL = 600.0  # the longest duration of a poll, in seconds


@dataclass(frozen=True, slots=True)
class WatchPeriod:
    """The time in which a data source was watched.

    Its jobs count since `since`, and `first_poll` is when its first poll was committed. `counts_from_zero` is true if
    jobs count from zero even if they started before the first poll, because the target was watched before. `stale` is
    the maximum age of the data in the first poll.
    """

    since: float
    first_poll: float
    counts_from_zero: bool
    stale: float = 0.0

    @property
    def earliest(self) -> float:
        """The end after which a job may count. One that was found in progress may end before `since`."""
        return min(self.since, self.first_poll) - SLACK - self.stale


@dataclass(frozen=True, slots=True)
class Bounds:
    """The lowest and the highest correct value."""

    low: float
    high: float

    def contains(self, value: float) -> bool:
        """Return whether a value is within the bounds."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        """Return both bounds, or the only correct value."""
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"


def totals(source: PlannedSource, period: WatchPeriod, polled: float, now: float) -> dict[tuple[str, str], Bounds]:
    """Return the bounds of each total; `polled` is the time of the last successful poll."""
    low: dict[tuple[str, str], float] = {("completed", status): 0.0 for status in TERMINAL}
    low |= {("seconds", status): 0.0 for status in TERMINAL}
    low |= {("documents", kind): 0.0 for kind in DOCUMENT_KINDS}
    high = dict(low)
    for job in source.jobs:
        if job.started > now:
            break
        _add_end(job, period, (polled - SLACK, now), low, high)
        _add_documents(job, period, (polled - SLACK, now), low, high)
    return {total: Bounds(low[total], high[total]) for total in low}


def with_unknown_outcomes(bounds: dict[tuple[str, str], Bounds]) -> dict[tuple[str, str], Bounds]:
    """Return the bounds of totals if any of the complete jobs may have succeeded."""
    known = {key: each for key, each in bounds.items() if key[1] not in COMPLETE}
    for total in ("completed", "seconds"):
        complete = [bounds[total, status] for status in COMPLETE]
        known[total, EITHER] = Bounds(sum(each.low for each in complete), sum(each.high for each in complete))
    return known


def _add_end(
    job: PlannedJob,
    period: WatchPeriod,
    until: tuple[float, float],
    low: dict[tuple[str, str], float],
    high: dict[tuple[str, str], float],
) -> None:
    if not job.outcome or not period.earliest < job.ends <= until[1]:
        return
    seconds = round(round(job.ends, 3) - round(job.started, 3), 3)
    for bounds, is_counted in ((high, True), (low, period.since + SLACK < job.ends <= until[0])):
        if is_counted:
            bounds["completed", job.outcome] += 1
            bounds["seconds", job.outcome] += seconds


def _add_documents(
    job: PlannedJob,
    period: WatchPeriod,
    until: tuple[float, float],
    low: dict[tuple[str, str], float],
    high: dict[tuple[str, str], float],
) -> None:
    if job.ends <= period.earliest:
        return
    counts, seen = job.document_counts(until[1]), job.document_counts(until[0]) if job.started <= until[0] else {}
    may_count_from_zero = job.started >= period.since - SLACK
    must_count_from_zero = job.started > (period.since + SLACK if period.counts_from_zero else period.first_poll)
    before = {} if may_count_from_zero else job.document_counts(period.earliest)
    first = {} if must_count_from_zero else job.document_counts(period.first_poll)
    if job.ends <= period.since + SLACK:
        seen = {}  # the job may or may not have ended before the source was watched
    for kind, count in counts.items():
        high["documents", kind] += count - before.get(kind, 0)
        low["documents", kind] += max(0, seen.get(kind, 0) - first.get(kind, 0))


@dataclass(frozen=True, slots=True)
class ExpectedGauges:
    """The values of a data source's gauges at a time."""

    running: int
    oldest_start: float | None
    last_status: str | None
    last_start: float | None
    last_success: float | None
    last_indexed: float | None
    consecutive_failures: int
    consecutive_without_content: int

    @property
    def starts(self) -> tuple[float | None, ...]:
        """The values that do not depend on the outcomes of jobs."""
        return self.running, self.oldest_start, self.last_start


def gauges(source: PlannedSource, now: float, first_poll: float) -> ExpectedGauges:
    """Return the gauges after a poll at `now`."""
    listed = [job for job in source.listed_jobs(now) if job.started <= now]
    running = [job for job in listed if job.ends > now]
    ended = [job for job in listed if job.ends <= now]
    # The exporter stores every job that was listed once. It never saw jobs that had left the list before the first
    # poll.
    oldest = min((job.started for job in source.listed_jobs(first_poll)), default=0.0)
    seen = [job for job in source.jobs if job.ends <= now and job.started >= oldest]
    last = max(ended, key=lambda job: (round(job.ends, 3), round(job.started, 3)), default=None)
    return ExpectedGauges(
        running=len(running),
        oldest_start=min((round(job.started, 3) for job in running), default=None),
        last_status=last.outcome if last else None,
        last_start=round(last.started, 3) if last else None,
        last_success=max((round(job.ends, 3) for job in seen if job.outcome == "SUCCEEDED"), default=None),
        last_indexed=max((round(job.ends, 3) for job in seen if _has_content(job)), default=None),
        consecutive_failures=min(MAX_STREAK_LOOKBACK, _consecutive_failures(seen)),
        consecutive_without_content=min(MAX_STREAK_LOOKBACK, _consecutive_without_content(seen)),
    )


def _has_content(job: PlannedJob) -> bool:
    """Return whether an ended job indexed content."""
    counts = job.documents
    if job.outcome != "INCOMPLETE":
        return job.outcome == "SUCCEEDED"
    if "scanned" in counts and not job.error_message:  # a failure reason may be about ignored documents
        return counts.get("failed", 0) < counts["scanned"]
    return any(counts.get(kind) for kind in ("added", "modified", "deleted"))


def _latest_first(ended: list[PlannedJob]) -> list[PlannedJob]:
    return sorted(ended, key=lambda job: (round(job.ends, 3), round(job.started, 3)), reverse=True)


def _consecutive_failures(ended: list[PlannedJob]) -> int:
    since = itertools.takewhile(lambda job: job.outcome not in {"SUCCEEDED", "INCOMPLETE"}, _latest_first(ended))
    return sum(job.outcome == "FAILED" for job in since)


def _consecutive_without_content(ended: list[PlannedJob]) -> int:
    return sum(1 for _ in itertools.takewhile(lambda job: not _has_content(job), _latest_first(ended)))


def was_running(source: PlannedSource, moment: float) -> bool:
    """Return whether a job was in progress long enough before a time for a poll to find it."""
    return any(job.started < moment - MAX_POLL and job.ends > moment for job in source.jobs)


def started_by_status(source: PlannedSource, since: float, until: tuple[float, float]) -> dict[str, Bounds]:
    """Return the jobs that started since a time, by their status at a time within `until`."""
    low, high = dict.fromkeys(STATUSES, 0), dict.fromkeys(STATUSES, 0)
    begin, end = bisect_right(source.starts, since - SLACK - MAX_LATENCY), bisect_right(source.starts, until[1])
    for job in source.jobs[begin:end]:
        first, last = job.status(max(job.started, until[0])), job.status(until[1])
        for status in STATUSES if first != last else (first,):
            high[status] += 1
        low[first] += first == last and since + SLACK < job.started <= until[0]
    return {status: Bounds(low[status], high[status]) for status in STATUSES}
