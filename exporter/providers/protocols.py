"""The protocol of a service that can be watched, and the types of its responses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from exporter.domain.documents import Document
    from exporter.domain.model import ContainerFacts, ContainerId, Description, SourceId, SyncJob
    from exporter.domain.service import ArnScope
    from exporter.runtime import AwsClock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of sync jobs, in the order of AWS, with the time of the response on AWS's clock.

    `is_complete` is false if the page has entries that could not be parsed as jobs. `warnings` describe all unusable
    parts.
    """

    jobs: tuple[SyncJob, ...]
    as_of: float
    has_more: bool
    warnings: tuple[str, ...] = ()
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """All items of a listing by id, and the number of its pages. `warnings` describe unusable entries."""

    items: Mapping[str, T]
    pages: int = 1
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """One page of documents, and the token of the next page, which is empty after the last page.

    `warnings` describe unusable entries.
    """

    documents: tuple[Document, ...]
    next_token: str = ""
    warnings: tuple[str, ...] = ()


class ServiceClient(Protocol):
    """The boto3 client of a target, with its credentials and the clock of the service."""

    @property
    def clock(self) -> AwsClock:
        """The clock of the service."""

    def client_for(self, operation: str) -> AbstractContextManager[Any]:
        """Yield the boto3 client, and translate exceptions from its use into ProviderError."""


class Provider(Protocol):
    """The API of a service. Every method raises ProviderError if a request fails or a response is unusable."""

    @property
    def clock(self) -> AwsClock:
        """The clock of the service."""

    def sync_jobs(
        self,
        source: SourceId,
        *,
        since: float | None = None,
        until: float | None = None,
        status: str | None = None,
    ) -> Iterator[JobPage]:
        """Yield the pages of a source's sync jobs. A page is requested when the iterator advances to it.

        `since` and `until` limit the jobs by time, and `status` to one status. It is not specified how the jobs are
        ordered, and whether the times refer to the start of a job or to the time in which it was in progress.
        """

    def explain(self, source: SourceId, job: SyncJob, warnings: list[str]) -> SyncJob:
        """Request and return the outcome of a job that `needs_explanation`.

        Append a warning for each unusable part of the response to `warnings`. A provider with complete listings returns
        the job unchanged, without a request.
        """

    def containers(self, parent: ContainerId | None) -> Listing[str]:
        """Return the display names of the containers in a container, or of the outermost ones."""

    def container_name(self, container: ContainerId) -> str:
        """Request and return the display name of a container."""

    def container(self, container: ContainerId) -> ContainerFacts:
        """Return the properties of a container of data sources."""

    def data_sources(self, container: ContainerId) -> Listing[Description]:
        """Return the data sources of a container. Their schedules are None, because listings do not contain them."""

    def data_source(self, source: SourceId) -> Description:
        """Return the properties of a data source, with its schedule and without its tags."""

    def documents(self, source: SourceId, token: str | None = None) -> DocumentPage:
        """Return one page of a data source's documents: the first page, or the page of a token.

        It takes one request, so that a listing can continue after a failed request.
        """

    def tags(self, source: SourceId, scope: ArnScope) -> Mapping[str, str]:
        """Return the tags of a data source; `scope` completes the ids to an ARN."""
