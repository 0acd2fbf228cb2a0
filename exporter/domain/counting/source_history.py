"""The history of one data source's sync jobs: the tracked jobs, and totals that never decrease."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from exporter.domain.counting.streaks import FAILURES, WITHOUT_CONTENT
from exporter.domain.counting.tracked_job import ended_jobs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.domain.counting.streaks import Streak
    from exporter.domain.counting.tracked_job import TrackedJob
    from exporter.domain.counting.unparsed_range import UnparsedRange
    from exporter.domain.counting.unread_range import UnreadRange
    from exporter.domain.model import SyncJob

_BY_START = attrgetter("started", "execution_id")


@dataclass(frozen=True, slots=True)
class PollData:
    """The sync jobs that one poll of a data source read.

    `as_of` is the time of the first response and `end` the time of the last one, both on AWS's clock. `vanished` has
    the ids of jobs that were in progress and that no listing contains any more. `unread` is the range that the poll
    leaves to a catch-up. `unparsed` is the range in which this poll or an earlier one has skipped entries that it could
    not parse. `window` is the number of seconds for which it read every job; None if it did not read in full.
    `clock_ahead` is the number of seconds by which `as_of` is ahead of the host's clock.
    """

    jobs: tuple[SyncJob, ...]
    as_of: float
    end: float
    vanished: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    clock_ahead: float | None = None
    unread: UnreadRange | None = None
    unparsed: UnparsedRange | None = None
    window: float | None = None


class Exemplar(Struct, frozen=True):
    """One observation in a histogram bucket: the job's execution id, its duration, and when it ended."""

    execution_id: str
    seconds: float
    timestamp: float


class Histogram(Struct, frozen=True):
    """Durations in buckets, and their sum in seconds.

    `counts` are per bucket and not cumulative. The last one is for durations above all bounds.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float = 0.0
    exemplars: tuple[Exemplar | None, ...] = ()

    @classmethod
    def empty(cls, bounds: tuple[float, ...]) -> Histogram:
        """Return a histogram without observations."""
        buckets = len(bounds) + 1
        return cls(bounds, (0,) * buckets, 0.0, (None,) * buckets)

    def observe(self, exemplar: Exemplar) -> Histogram:
        """Return the histogram with one more observation, which becomes the exemplar of its bucket."""
        bucket = bisect_left(self.bounds, exemplar.seconds)
        counts, exemplars = list(self.counts), list(self.exemplars)
        counts[bucket] += 1
        exemplars[bucket] = exemplar
        return structs.replace(self, counts=tuple(counts), sum=self.sum + exemplar.seconds, exemplars=tuple(exemplars))


@dataclass(frozen=True, slots=True)
class SourceHistory:
    """The tracked jobs of one data source, and totals that never decrease.

    `last_indexed` is the end of the last job that indexed content. `evicted_through` is the latest start of all evicted
    jobs. `evicted_failure_streak` and `evicted_streak_without_content` are the streaks of evicted jobs. `unread` is the
    range that a catch-up still has to read. `unparsed` is the range that a later catch-up has to reread, because polls
    could not parse entries in it. `window` is the length of the time before the last full read in which every job was
    read and kept, in seconds; None if the state file does not have it. `clock_ahead` is the number of seconds by which
    AWS's clock was ahead of the host's when `watched_since` was recorded; None if unknown.
    """

    watched_since: float
    as_of: float
    jobs: Mapping[str, TrackedJob] = field(default_factory=dict)
    completed: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[tuple[str, str], int] = field(default_factory=dict)
    documents: Mapping[str, int] = field(default_factory=dict)
    durations: Mapping[str, Histogram] = field(default_factory=dict)
    last_succeeded: float | None = None
    last_indexed: float | None = None
    evicted_through: float | None = None
    evicted_failure_streak: int = 0
    evicted_streak_without_content: int = 0
    clock_ahead: float | None = None
    unread: UnreadRange | None = None
    unparsed: UnparsedRange | None = None
    window: float | None = None

    @property
    def known_since(self) -> float:
        """The start time since which all jobs are known; -inf unless a catch-up has to read older jobs.

        A range that is only reread has no gap: nearly all of its jobs are known.
        """
        unread = self.unread
        return -math.inf if unread is None or unread.unparsed_since is not None else unread.end

    def jobs_newest_first(self) -> list[SyncJob]:
        """Return the tracked jobs that AWS still lists, the most recently started first."""
        return sorted(self._listed_jobs(), key=_BY_START, reverse=True)

    def jobs_in_progress(self) -> list[SyncJob]:
        """Return the jobs that AWS lists as not ended, the oldest first."""
        return sorted((job for job in self._listed_jobs() if not job.is_terminal), key=_BY_START)

    def unfinished_jobs(self) -> list[SyncJob]:
        """Return all tracked jobs that were never seen to end, including jobs that AWS no longer lists."""
        return [tracked.job for tracked in self.jobs.values() if not tracked.job.is_terminal]

    def last_completed(self) -> SyncJob | None:
        """Return the job that ended last."""
        ended = (job for job in self._listed_jobs() if job.is_terminal)
        return max(ended, key=lambda job: (*job.completion_key(), job.execution_id), default=None)

    def consecutive_failures(self) -> int:
        """Return the number of FAILED jobs since the last SUCCEEDED or INCOMPLETE one."""
        return self._streak(FAILURES, self.evicted_failure_streak)

    def consecutive_without_content(self) -> int:
        """Return the number of ended jobs since content last reached the index."""
        return self._streak(WITHOUT_CONTENT, self.evicted_streak_without_content)

    def _listed_jobs(self) -> Iterator[SyncJob]:
        return (tracked.job for tracked in self.jobs.values() if tracked.vanished_at is None)

    def _streak(self, streak: Streak, evicted: int) -> int:
        """Return the length of a streak.

        During a catch-up, an unread job may end the streak. So only later jobs count.
        """
        since = self.known_since
        known = ended_jobs(tracked for tracked in self.jobs.values() if tracked.job.started >= since)
        return streak.length(known, evicted if since == -math.inf else 0)
