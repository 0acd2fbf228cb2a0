"""What the program talks about: data sources, their sync jobs, and the statuses AWS gives them.

Times are seconds since the epoch on AWS's clock. A figure that the API did not say is None, never 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


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
