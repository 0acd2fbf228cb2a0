"""What the program talks about: data sources, their sync jobs, and the statuses AWS gives them.

Times are seconds since the epoch on AWS's clock. A figure that the API did not say is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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
        return self.ended - self.started


@dataclass(frozen=True, slots=True)
class SourceId:
    """The three identifiers under which AWS knows a data source."""

    application_id: str
    index_id: str
    data_source_id: str

    def __str__(self) -> str:
        """Render as a path, which is how AWS nests them."""
        return f"{self.application_id}/{self.index_id}/{self.data_source_id}"


@dataclass(frozen=True, slots=True)
class Names:
    """A data source's settled display names."""

    application: str
    data_source: str


@dataclass(frozen=True, slots=True)
class DataSource:
    """A data source to watch: where it is, and what the configuration says of its names."""

    target: str
    id: SourceId
    application: str | None = None
    name: str | None = None
    labels: tuple[tuple[str, str], ...] = ()


class Clock(Protocol):
    """Time, injected so that tests and simulations own it."""

    def monotonic(self) -> float:
        """Give seconds that never step, for intervals and deadlines."""

    def time(self) -> float:
        """Give the host's idea of seconds since the epoch, which may be wrong."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one poll read of a source's history.

    `as_of` is AWS's clock when the first answer was made; `covers` is the start time from which on the list is complete.
    """

    jobs: tuple[SyncJob, ...]
    as_of: float
    covers: float
    warnings: tuple[str, ...] = ()


