"""What a service must answer to be watched, and the services that do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.aws import AwsClock
    from exporter.domain.model import Description, IndexFacts, IndexId, SourceId, SyncJob

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of a listing: its jobs as AWS ordered them, AWS's clock when it was made, and whether more follow.

    It is whole unless it had entries that could not be read as jobs; `warnings` tell of what was odd.
    """

    jobs: tuple[SyncJob, ...]
    as_of: float
    more: bool
    warnings: tuple[str, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """What a listing has, by id, and on how many pages it came; `warnings` tell of entries that could not be used."""

    items: Mapping[str, T]
    pages: int = 1
    warnings: tuple[str, ...] = ()


class Provider(Protocol):
    """What a target is asked; every method raises ProviderError when it cannot answer."""

    @property
    def clock(self) -> AwsClock:
        """Give the service's clock."""

    def sync_jobs(
        self,
        source: SourceId,
        *,
        since: float | None = None,
        status: str | None = None,
    ) -> Iterator[JobPage]:
        """Yield the pages of a source's jobs, fetched as they are asked for, in no promised order."""

    def applications(self) -> Listing[str]:
        """List the display names of the applications."""

    def application_name(self, application_id: str) -> str:
        """Ask for an application's display name."""

    def indexes(self, application_id: str) -> Listing[str]:
        """List the display names of an application's indexes."""

    def index(self, index: IndexId) -> IndexFacts:
        """Ask for all that is said of an index."""

    def data_sources(self, index: IndexId) -> Listing[Description]:
        """List the data sources of an index."""

    def data_source(self, source: SourceId) -> Description:
        """Ask for all that is said of a data source."""

    def tags(self, arn: str) -> Mapping[str, str]:
        """Ask for the tags of a resource."""
