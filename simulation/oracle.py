"""What an honest observer must have seen of a data source, within the limits of what anyone can know.

The service's clock is known to the second, and a moment of a poll to the span of its requests. So a total has a lower
and an upper bound, which are the same unless something happened within that span.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.polling.lookback import MAX_FAILURE_LOOKBACK
from exporter.simulator.job import DOCUMENT_KINDS, STATUSES, TERMINAL

if TYPE_CHECKING:
    from exporter.simulator.job import PlannedJob
    from simulation.fleet import PlannedSource

SLACK = 1.1  # seconds: a Date header is cut to the second
SLOWEST = 20.0  # seconds that an answer takes at most: by so much the time that it says may be behind
LONGEST_POLL = 600.0  # seconds


@dataclass(frozen=True, slots=True)
class Watched:
    """How long a source has been watched: when counting began, and by when everything had surely been seen once.

    `is_whole` tells that jobs count from nothing also before the first look, since the target was watched before;
    `stale` is how old what the first look was told may have been.
    """

    since: float
    looked: float
    is_whole: bool
    stale: float = 0.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the most that a figure may be."""

    low: float
    high: float

    def hold(self, value: float) -> bool:
        """Tell whether a value lies within."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        """Write both."""
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"


def totals(source: PlannedSource, watched: Watched, polled: float, now: float) -> dict[tuple[str, str], Bounds]:
    """Give the bounds of each total, given when the last poll that worked was made."""
    low: dict[tuple[str, str], float] = {("completed", status): 0.0 for status in TERMINAL}
    low |= {("seconds", status): 0.0 for status in TERMINAL} | {("documents", kind): 0.0 for kind in DOCUMENT_KINDS}
    high = dict(low)
    for job in source.jobs:
        if job.started > now:
            break
        _end(job, watched, (polled - SLACK, now), low, high)
        _documents(job, watched, (polled - SLACK, now), low, high)
    return {figure: Bounds(low[figure], high[figure]) for figure in low}


def _end(
    job: PlannedJob,
    watched: Watched,
    until: tuple[float, float],
    low: dict[tuple[str, str], float],
    high: dict[tuple[str, str], float],
) -> None:
    if not job.outcome or not watched.since - SLACK - watched.stale < job.ends <= until[1]:
        return
    seconds = round(round(job.ends, 3) - round(job.started, 3), 3)
    for totals, counts in ((high, True), (low, watched.since + SLACK < job.ends <= until[0])):
        if counts:
            totals["completed", job.outcome] += 1
            totals["seconds", job.outcome] += seconds


def _documents(
    job: PlannedJob,
    watched: Watched,
    until: tuple[float, float],
    low: dict[tuple[str, str], float],
    high: dict[tuple[str, str], float],
) -> None:
    if job.ends <= watched.since - SLACK - watched.stale:
        return
    figures, seen = job.document_counts(until[1]), job.document_counts(until[0]) if job.started <= until[0] else {}
    from_nothing = job.started >= watched.since - SLACK
    surely = job.started > (watched.since + SLACK if watched.is_whole else watched.looked)
    before = {} if from_nothing else job.document_counts(watched.since - SLACK - watched.stale)
    first = {} if surely else job.document_counts(watched.looked)
    if job.ends <= watched.since + SLACK:
        seen = {}  # it may be history or not
    for kind, figure in figures.items():
        high["documents", kind] += figure - before.get(kind, 0)
        low["documents", kind] += max(0, seen.get(kind, 0) - first.get(kind, 0))


@dataclass(frozen=True, slots=True)
class State:
    """What the gauges say of a source at a moment."""

    running: int
    oldest_start: float | None
    last_status: str | None
    last_start: float | None
    last_success: float | None
    last_indexed: float | None
    failed_in_a_row: int


def state(source: PlannedSource, now: float, looked: float) -> State:
    """Give what a look at a moment would show, where the first look was at another."""
    begun = [job for job in source.listed_jobs(now) if job.started <= now]
    running = [job for job in begun if job.ends > now]
    ended = [job for job in begun if job.ends <= now]
    # What was listed once is remembered; what had gone from the list before the first look was never seen.
    oldest = min((job.started for job in source.listed_jobs(looked)), default=0.0)
    ever = [job for job in source.jobs if job.ends <= now and job.started >= oldest]
    last = max(ended, key=lambda job: (round(job.ends, 3), round(job.started, 3)), default=None)
    return State(
        running=len(running),
        oldest_start=min((round(job.started, 3) for job in running), default=None),
        last_status=last.outcome if last else None,
        last_start=round(last.started, 3) if last else None,
        last_success=max((round(job.ends, 3) for job in ever if job.outcome == "SUCCEEDED"), default=None),
        last_indexed=max(
            (round(job.ends, 3) for job in ever if job.outcome in {"SUCCEEDED", "INCOMPLETE"}), default=None
        ),
        failed_in_a_row=min(MAX_FAILURE_LOOKBACK, _failed_in_a_row(ever)),
    )


def _failed_in_a_row(ended: list[PlannedJob]) -> int:
    latest_first = sorted(ended, key=lambda job: (round(job.ends, 3), round(job.started, 3)), reverse=True)
    return next((count for count, job in enumerate(latest_first) if job.outcome != "FAILED"), len(latest_first))


def was_running(source: PlannedSource, moment: float) -> bool:
    """Tell whether a job was in progress at a moment, and had been for so long that a poll then had seen it."""
    return any(job.started < moment - LONGEST_POLL and job.ends > moment for job in source.jobs)


def started(source: PlannedSource, since: float, until: tuple[float, float]) -> dict[str, Bounds]:
    """Count the jobs that started within a time by their status at a moment known to lie between two."""
    low, high = dict.fromkeys(STATUSES, 0), dict.fromkeys(STATUSES, 0)
    begin, end = bisect_right(source.starts, since - SLACK - SLOWEST), bisect_right(source.starts, until[1])
    for job in source.jobs[begin:end]:
        first, last = job.status(max(job.started, until[0])), job.status(until[1])
        for status in STATUSES if first != last else (first,):
            high[status] += 1
        low[first] += first == last and since + SLACK < job.started <= until[0]
    return {status: Bounds(low[status], high[status]) for status in STATUSES}
