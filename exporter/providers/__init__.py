"""What a service must answer to be watched, and the services that do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.aws import AwsClock
    from exporter.model import SourceId, SyncJob


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of a listing: its jobs as AWS ordered them, AWS's clock when it was made, and whether more follow."""

    jobs: tuple[SyncJob, ...]
    as_of: float
    more: bool
    warnings: tuple[str, ...] = ()


class Provider(Protocol):
    """A target's sync jobs and names; every method raises ProviderError when it cannot answer."""

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

    def application_name(self, application_id: str) -> str:
        """Ask for an application's display name."""

    def data_source_name(self, source: SourceId) -> str:
        """Ask for a data source's display name."""
