"""What the program talks about: data sources, their sync jobs, and the statuses AWS gives them.

Times are seconds since the epoch on AWS's clock. A figure that the API did not say is None, never 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class SyncJobStatus(StrEnum):
    """The statuses of a sync job (API reference, DataSourceSyncJob.status)."""

    FAILED = "FAILED"
    SUCCEEDED = "SUCCEEDED"
    SYNCING = "SYNCING"
    INCOMPLETE = "INCOMPLETE"
    STOPPING = "STOPPING"
    ABORTED = "ABORTED"
    SYNCING_INDEXING = "SYNCING_INDEXING"


# Status alone tells whether a job has ended: an endTime has been seen on a job that was still indexing.
TERMINAL = frozenset(
    {SyncJobStatus.FAILED, SyncJobStatus.SUCCEEDED, SyncJobStatus.INCOMPLETE, SyncJobStatus.ABORTED},
)
IN_PROGRESS = frozenset({SyncJobStatus.SYNCING, SyncJobStatus.SYNCING_INDEXING, SyncJobStatus.STOPPING})
INDEXED = frozenset({SyncJobStatus.SUCCEEDED, SyncJobStatus.INCOMPLETE})


class DataSourceStatus(StrEnum):
    """The statuses of a data source (API reference, DataSource.status)."""

    PENDING_CREATION = "PENDING_CREATION"
    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    DELETING = "DELETING"
    FAILED = "FAILED"
    UPDATING = "UPDATING"


class IndexStatus(StrEnum):
    """The statuses of an index (API reference, Index.status)."""

    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    DELETING = "DELETING"
    FAILED = "FAILED"
    UPDATING = "UPDATING"


# What a unit of capacity holds, whichever is reached first (User Guide, "Index capacity").
DOCUMENTS_PER_UNIT = 20_000
TEXT_BYTES_PER_UNIT = 200 * 10**6  # "200 MB": taken as the smaller of its two readings, so that an alert comes early

# error.errorCode of a sync job (API reference, ErrorDetail.errorCode).
ERROR_CODES = ("InternalError", "InvalidRequest", "ResourceInactive", "ResourceNotFound")


@dataclass(frozen=True, slots=True)
class DocumentCounts:
    """A job's document figures; None where the API did not say."""

    added: int | None = None
    modified: int | None = None
    deleted: int | None = None
    failed: int | None = None
    scanned: int | None = None

    def items(self) -> Iterator[tuple[str, int | None]]:
        """Yield each figure with its name, in a fixed order."""
        for name in DOCUMENT_KINDS:
            yield name, getattr(self, name)


DOCUMENT_KINDS = tuple(item.name for item in fields(DocumentCounts))


@dataclass(frozen=True, slots=True)
class SyncJob:
    """One execution of a data source's sync, as one answer of the API describes it."""

    execution_id: str
    status: str
    started: float
    ended: float | None = None
    documents: DocumentCounts = field(default_factory=DocumentCounts)
    error_code: str = ""
    error_message: str = ""
    connector_error: str = ""

    @property
    def is_terminal(self) -> bool:
        """Tell whether the job has ended; a status that nobody knows has not."""
        return self.status in TERMINAL

    @property
    def duration(self) -> float | None:
        """Give the seconds from start to end of an ended job; None where its end is not known."""
        if not self.is_terminal or self.ended is None:
            return None
        # AWS's times are good to the millisecond; below it stands what floating point makes of their difference.
        return round(self.ended - self.started, 3)

    def end_or_start(self) -> tuple[float, float]:
        """Order jobs by when they ended; by their start where the API did not say."""
        return (self.started if self.ended is None else self.ended, self.started)


@dataclass(frozen=True, slots=True)
class IndexId:
    """The two identifiers under which AWS knows an index."""

    application_id: str
    index_id: str

    def __str__(self) -> str:
        """Render as a path, which is how AWS nests them."""
        return f"{self.application_id}/{self.index_id}"


@dataclass(frozen=True, slots=True)
class SourceId:
    """The three identifiers under which AWS knows a data source."""

    application_id: str
    index_id: str
    data_source_id: str

    @property
    def index(self) -> IndexId:
        """Give the index that it feeds."""
        return IndexId(self.application_id, self.index_id)

    def __str__(self) -> str:
        """Render as a path, which is how AWS nests them."""
        return f"{self.application_id}/{self.index_id}/{self.data_source_id}"


@dataclass(frozen=True, slots=True)
class Names:
    """A data source's settled display names."""

    application: str
    data_source: str


@dataclass(frozen=True, slots=True)
class Location:
    """Where a target is: its account (empty where nobody would say) and region."""

    account: str
    region: str


@dataclass(frozen=True, slots=True)
class Description:
    """What AWS says of a data source itself.

    A listing does not have the schedule: it is None until GetDataSource was asked, "" where syncs are on demand.
    """

    name: str
    type: str
    status: str
    created: float | None = None
    updated: float | None = None
    schedule: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


def tag_label(key: str) -> str:
    """Give the label that a tag is shown under: what a label's name cannot have becomes an underscore."""
    return "tag_" + re.sub(r"[^a-zA-Z0-9_]", "_", key)


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """What GetIndex says of an index."""

    name: str
    type: str
    status: str
    arn: str = ""
    documents: int | None = None
    text_bytes: int | None = None
    units: int | None = None


@dataclass(frozen=True, slots=True)
class DataSource:
    """A data source to watch: where it is, and its names as far as the configuration or a listing has them."""

    target: str
    id: SourceId
    application: str | None = None
    name: str | None = None
    labels: tuple[tuple[str, str], ...] = ()


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


@dataclass(frozen=True, slots=True)
class SourceSnapshot:
    """What the scrape half gets to see of one data source: all of a poll's effects or none.

    `index` is the settled name of its index, `about` what AWS says of it; neither is there before it is settled.
    Whether the last poll succeeded is not known after a restart, until there is one.
    """

    source: DataSource
    names: Names
    history: SourceHistory | None
    poll_succeeded: bool | None
    polled_at: float | None
    index: str = ""
    description: Description | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class IndexSnapshot:
    """What the scrape half gets to see of one index, with its settled names."""

    id: IndexId
    application: str
    name: str
    facts: IndexFacts
    location: Location


@dataclass(frozen=True, slots=True)
class SavedSource:
    """A data source as it was last found, to go on from after a restart."""

    source: DataSource
    index: str
    description: Description
