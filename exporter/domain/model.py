"""Data sources, indexes and sync jobs as values, with the statuses that the API documents.

Times are seconds since the epoch on AWS's clock. A number that the API did not report is None, never 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


SERVICE = "qbusiness"
"""The AWS service of all targets, as the configuration and the metrics name it."""


class SyncJobStatus(StrEnum):
    """The statuses of a sync job (API reference, DataSourceSyncJob.status)."""

    FAILED = "FAILED"
    SUCCEEDED = "SUCCEEDED"
    SYNCING = "SYNCING"
    INCOMPLETE = "INCOMPLETE"
    STOPPING = "STOPPING"
    ABORTED = "ABORTED"
    SYNCING_INDEXING = "SYNCING_INDEXING"


# Only the status decides whether a job has ended: AWS has reported an endTime for a job that was still indexing.
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


# The two limits of one capacity unit (User Guide, "Index capacity"). The index is full when it reaches either.
DOCUMENTS_PER_UNIT = 20_000
TEXT_BYTES_PER_UNIT = 200 * 10**6  # "200 MB" in the guide: the smaller interpretation, so that alerts fire early

# error.errorCode of a sync job (API reference, ErrorDetail.errorCode).
ERROR_CODES = ("InternalError", "InvalidRequest", "ResourceInactive", "ResourceNotFound")


@dataclass(frozen=True, slots=True)
class DocumentCounts:
    """The document counts of a sync job; None for a count that the API did not report."""

    added: int | None = None
    modified: int | None = None
    deleted: int | None = None
    failed: int | None = None
    scanned: int | None = None

    def items(self) -> Iterator[tuple[str, int | None]]:
        """Yield each kind of document with its count, in a fixed order."""
        for name in DOCUMENT_KINDS:
            yield name, getattr(self, name)


DOCUMENT_KINDS = tuple(item.name for item in fields(DocumentCounts))


@dataclass(frozen=True, slots=True)
class SyncJob:
    """One execution of a data source's sync, as one response of the API describes it.

    `connector_error` is the documented code of the connector in one of the other error texts; empty if none has one.
    """

    execution_id: str
    status: str
    started: float
    ended: float | None = None
    documents: DocumentCounts = field(default_factory=DocumentCounts)
    error_code: str = ""
    error_message: str = ""
    connector_error: str = ""
    data_source_error_code: str = ""

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended. A job with an undocumented status has not."""
        return self.status in TERMINAL

    @property
    def duration(self) -> float | None:
        """The seconds from start to end; None for a job in progress, or one without an end time."""
        if not self.is_terminal or self.ended is None:
            return None
        # AWS reports milliseconds. Digits below that are errors of floating point.
        return round(self.ended - self.started, 3)

    @property
    def end_or_start(self) -> float:
        """The end of an ended job. Without an end time, the start: the latest time known for certain."""
        return self.started if self.ended is None else self.ended

    def completion_key(self) -> tuple[float, float]:
        """Return a key that sorts ended jobs by their end, and jobs with the same end by their start."""
        return (self.end_or_start, self.started)


@dataclass(frozen=True, slots=True)
class ContainerId:
    """The two identifiers of an index."""

    application_id: str
    index_id: str

    def __str__(self) -> str:
        """Return the identifiers as a path, from the outermost to the innermost."""
        return f"{self.application_id}/{self.index_id}"


@dataclass(frozen=True, slots=True)
class SourceId:
    """The three identifiers of a data source."""

    application_id: str
    index_id: str
    data_source_id: str

    @property
    def container(self) -> ContainerId:
        """The container of the data source: the index that it feeds."""
        return ContainerId(self.application_id, self.index_id)

    def __str__(self) -> str:
        """Return the identifiers as a path, from the outermost to the innermost."""
        return f"{self.application_id}/{self.index_id}/{self.data_source_id}"


@dataclass(frozen=True, slots=True)
class Names:
    """The resolved display names of a data source and of its outermost container."""

    root: str
    data_source: str


@dataclass(frozen=True, slots=True)
class Location:
    """The AWS account and region of a target; the account is empty if it could not be determined."""

    account: str
    region: str


@dataclass(frozen=True, slots=True)
class Description:
    """The properties of a data source that AWS reports.

    `schedule` is None until GetDataSource has returned it, because listings do not have it. It is "" for a data source
    that is synced on demand. `schedule_since` is when it began to hold, as far as that is known.
    """

    name: str
    type: str
    status: str
    created: float | None = None
    updated: float | None = None
    schedule: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    schedule_since: float | None = None


def tag_label(key: str) -> str:
    """Return the label name of a tag: characters that label names may not have become underscores."""
    return "tag_" + re.sub(r"[^a-zA-Z0-9_]", "_", key)


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """The properties of an index that GetIndex reports."""

    name: str
    type: str
    status: str
    arn: str = ""
    documents: int | None = None
    text_bytes: int | None = None
    units: int | None = None


@dataclass(frozen=True, slots=True)
class DataSource:
    """A data source to watch. A display name is None if neither the configuration nor a listing has it.

    `root` is the display name of its outermost container.
    """

    target: str
    id: SourceId
    root: str | None = None
    name: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
