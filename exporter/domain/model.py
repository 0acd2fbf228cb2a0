"""Data sources, their containers and sync jobs as values.

Times are seconds since the epoch on AWS's clock. A number that the API did not report is None, never 0.

Jobs and their counts are structs of msgspec and not dataclasses. A large fleet has hundreds of thousands of them, and
msgspec creates structs from the state file several times faster.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.service import Level, Service


class SyncJobStatus(StrEnum):
    """The statuses of a sync job, in the terms of Amazon Q Business. Providers map other services to them."""

    FAILED = "FAILED"
    SUCCEEDED = "SUCCEEDED"
    SYNCING = "SYNCING"
    INCOMPLETE = "INCOMPLETE"
    STOPPING = "STOPPING"
    ABORTED = "ABORTED"
    SYNCING_INDEXING = "SYNCING_INDEXING"


# Only the status decides whether a job has ended, because AWS has reported an end for a job that was still indexing.
TERMINAL = frozenset(
    {SyncJobStatus.FAILED, SyncJobStatus.SUCCEEDED, SyncJobStatus.INCOMPLETE, SyncJobStatus.ABORTED},
)
IN_PROGRESS = frozenset({SyncJobStatus.SYNCING, SyncJobStatus.SYNCING_INDEXING, SyncJobStatus.STOPPING})
INDEXED = frozenset({SyncJobStatus.SUCCEEDED, SyncJobStatus.INCOMPLETE})


class DocumentCounts(Struct, frozen=True):
    """The document counts of a sync job; None for a count that the API did not report."""

    added: int | None = None
    modified: int | None = None
    deleted: int | None = None
    failed: int | None = None
    scanned: int | None = None
    skipped: int | None = None
    metadata_scanned: int | None = None
    metadata_modified: int | None = None

    def items(self) -> Iterator[tuple[str, int | None]]:
        """Return each kind of document with its count, in a fixed order."""
        return zip(DOCUMENT_KINDS, _COUNTS(self), strict=True)


DOCUMENT_KINDS = DocumentCounts.__struct_fields__
_COUNTS = attrgetter(*DOCUMENT_KINDS)


class SyncJob(Struct, frozen=True):
    """One execution of a data source's sync, as one response of the API describes it.

    `connector_error` is the documented code of the connector in one of the other error texts; empty if there is none.
    `has_failure_reasons` is true if the API lists reasons for documents that the counts may not include.
    `needs_explanation` is true if a listing does not report how the job ended; the status is then the worst possible
    one.
    """

    execution_id: str
    status: str
    started: float
    ended: float | None = None
    documents: DocumentCounts = DocumentCounts()
    error_code: str = ""
    error_message: str = ""
    connector_error: str = ""
    data_source_error_code: str = ""
    has_failure_reasons: bool = False
    needs_explanation: bool = False

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended. A job with an undocumented status has not."""
        return self.status in TERMINAL

    @property
    def duration(self) -> float | None:
        """The seconds from start to end; None for a job in progress, or one without an end time."""
        if not self.is_terminal or self.ended is None:
            return None
        # AWS reports milliseconds. Further digits are floating-point errors.
        return round(self.ended - self.started, 3)

    @property
    def end_or_start(self) -> float:
        """The end of an ended job. Without an end time, the start: the latest time known for certain."""
        return self.started if self.ended is None else self.ended

    def completion_key(self) -> tuple[float, float]:
        """Return a key that sorts ended jobs by their end, and jobs with the same end by their start."""
        return (self.started if self.ended is None else self.ended, self.started)


@dataclass(frozen=True, slots=True)
class ResourceId:
    """The service of a resource, and the ids from its outermost container to the resource itself."""

    service: Service
    path: tuple[str, ...]

    @property
    def own(self) -> str:
        """The id of the resource itself, which is the last one."""
        return self.path[-1]

    def __str__(self) -> str:
        """Return the ids as a path, which is the key of the resource in the state and in the exposition."""
        return self.service.key_prefix + "/".join(self.path)


@dataclass(frozen=True, slots=True)
class ContainerId(ResourceId):
    """The identity of a container, such as the application and the index of data sources."""

    @property
    def is_innermost(self) -> bool:
        """Whether the container has data sources instead of further containers."""
        return len(self.path) == len(self.service.containers)

    @property
    def level(self) -> Level:
        """The level of the container."""
        return self.service.levels[len(self.path) - 1]

    def with_parents(self) -> tuple[ContainerId, ...]:
        """Return the containers of this one, the outermost first, followed by this one."""
        return tuple(ContainerId(self.service, self.path[:depth]) for depth in range(1, len(self.path) + 1))

    def child(self, identifier: str) -> ContainerId:
        """Return the identity of a container in this one."""
        return ContainerId(self.service, (*self.path, identifier))

    def source(self, identifier: str) -> SourceId:
        """Return the identity of a data source in this container."""
        return SourceId(self.service, (*self.path, identifier))

    def is_in(self, parent: ContainerId) -> bool:
        """Return whether this container is the other one, or is inside it."""
        return self.path[: len(parent.path)] == parent.path


@dataclass(frozen=True, slots=True)
class SourceId(ResourceId):
    """The identity of a data source."""

    @property
    def data_source_id(self) -> str:
        """The id of the data source itself."""
        return self.path[-1]

    @property
    def root(self) -> ContainerId:
        """The outermost container of the data source."""
        return ContainerId(self.service, self.path[:1])

    @property
    def container(self) -> ContainerId:
        """The container of the data source, such as the index that it feeds."""
        return ContainerId(self.service, self.path[:-1])


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

    A text that was not reported is empty. `schedule` is None until the data source itself was requested, because
    listings do not have it, and "" for a data source that is synced on demand. `schedule_since` is the time since which
    the schedule exists, if known.
    """

    name: str
    type: str
    status: str
    created: float | None = None
    updated: float | None = None
    schedule: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    schedule_since: float | None = None

    def with_missing_from(self, known: Description) -> Description:
        """Return this description, with missing properties taken from another one. Tags are never missing."""
        schedule = known if self.schedule is None else self
        return replace(
            self,
            name=self.name or known.name,
            type=self.type or known.type,
            status=self.status or known.status,
            created=known.created if self.created is None else self.created,
            updated=known.updated if self.updated is None else self.updated,
            schedule=schedule.schedule,
            schedule_since=schedule.schedule_since,
        )


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """The properties of a container that AWS reports, with the limits that follow from them.

    `arn` is empty if AWS does not report it.
    """

    name: str
    type: str
    status: str
    arn: str = ""
    documents: int | None = None
    text_bytes: int | None = None
    units: int | None = None
    documents_limit: int | None = None
    text_bytes_limit: int | None = None


@dataclass(frozen=True, slots=True)
class DataSource:
    """A data source to watch. Its display name is None if neither the configuration nor a listing has it.

    `root` is the display name of its outermost container.
    """

    target: str
    id: SourceId
    root: str | None = None
    name: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
