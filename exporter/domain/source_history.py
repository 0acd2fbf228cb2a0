"""What is remembered of one data source's sync jobs: the jobs themselves, and totals that never fall."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from exporter.domain.model import DocumentCounts, SyncJob, SyncJobStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class PollData:
    """What one poll read of a source's history.

    `as_of` is AWS's clock when the first answer was made, `until` when the last was; `vanished` are the jobs that were
    in progress and that no way of asking finds any more.
    """

    jobs: tuple[SyncJob, ...]
    as_of: float
    until: float
    vanished: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


class CountState(StrEnum):
    """What has been done about a job's end."""

    PENDING = "open"  # it has not ended
    COUNTED = "counted"  # it ended while its source was watched, and is in the totals
    PRE_EXISTING = "history"  # it had ended before its source was watched, and never will be
    EVICTED = "forgotten"  # one of these it was, until it was forgotten: found again it changes nothing


@dataclass(frozen=True, slots=True)
class TrackedJob:
    """A job as last seen, and what the totals already have of it.

    `highest` has the largest figures seen so far. `whole` tells that all its documents count, and not only those that
    came after the first look. `gone_since` is when it had vanished from AWS's list without having ended.
    """

    job: SyncJob
    max_counts: DocumentCounts
    counts_from_zero: bool
    count_state: CountState = CountState.PENDING
    vanished_at: float | None = None

    @property
    def in_progress(self) -> bool:
        """Tell whether the job goes on, as far as anyone knows."""
        return not self.job.is_terminal and self.vanished_at is None


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One observation behind a histogram bucket: which execution, how long, and when it ended."""

    execution_id: str
    seconds: float
    timestamp: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observed durations: counts per bucket (not cumulative; the last is above all bounds), their sum in seconds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float = 0.0
    exemplars: tuple[Exemplar | None, ...] = ()

    @classmethod
    def empty(cls, bounds: tuple[float, ...]) -> Histogram:
        """Make a histogram that has seen nothing."""
        buckets = len(bounds) + 1
        return cls(bounds, (0,) * buckets, 0.0, (None,) * buckets)


@dataclass(frozen=True, slots=True)
class SourceHistory:
    """All that is known of one data source's sync jobs: the remembered jobs, and totals that never fall.

    `horizon` is the latest start among the jobs that were forgotten, and `forgotten_streak` how many of the forgotten
    were FAILED since the last of them that was not.
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

    def by_start(self) -> list[SyncJob]:
        """Give the jobs that AWS still lists, the most recently started first."""
        listed = (known.job for known in self.jobs.values() if known.vanished_at is None)
        return sorted(listed, key=lambda job: (job.started, job.execution_id), reverse=True)

    def in_progress(self) -> list[SyncJob]:
        """Give the jobs that go on, the oldest first."""
        return [job for job in reversed(self.by_start()) if not job.is_terminal]

    def unended(self) -> list[SyncJob]:
        """Give the jobs that were never seen to end, those that AWS no longer lists included."""
        return [known.job for known in self.jobs.values() if not known.job.is_terminal]

    def last_completed(self) -> SyncJob | None:
        """Give the job that ended last."""
        return max((job for job in self.by_start() if job.is_terminal), key=SyncJob.end_or_start, default=None)

    def consecutive_failures(self) -> int:
        """Count the FAILED jobs since the last ended one that was not."""
        return failure_streak(self.jobs.values(), self.evicted_failure_streak)


def failure_streak(jobs: Iterable[TrackedJob], earlier: int) -> int:
    """Count FAILED jobs back from the last that ended to the first that was not; `earlier` counts on if none was.

    Those that were forgotten once are in `earlier` already.
    """
    streak = 0
    ended = (known.job for known in jobs if known.job.is_terminal and known.count_state is not CountState.EVICTED)
    for job in sorted(ended, key=SyncJob.end_or_start, reverse=True):
        if job.status != SyncJobStatus.FAILED:
            return streak
        streak += 1
    return streak + earlier
