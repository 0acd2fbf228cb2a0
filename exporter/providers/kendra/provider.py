"""The provider of Amazon Kendra: its API operations through boto3 (API reference, version 2019-02-03)."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.errors import ProviderError, Reason
from exporter.providers.job_parsing import parse_job_page
from exporter.providers.kendra.parsing import (
    JOB,
    parse_data_source,
    parse_index,
    parse_listed_source,
    parse_named,
    parse_tags,
)
from exporter.providers.kendra.service import KENDRA
from exporter.providers.members import parse_items, required_text
from exporter.providers.page_tokens import PageTokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from exporter.domain.model import ContainerFacts, ContainerId, Description, SourceId, SyncJob
    from exporter.domain.service import ArnScope
    from exporter.providers import DocumentPage, JobPage, Listing, ServiceClient
    from exporter.runtime import AwsClock

T = TypeVar("T")

MAX_LISTED = 100  # entries on a page of indexes or data sources


class Kendra:
    """The API of Amazon Kendra for one target."""

    def __init__(self, aws_client: ServiceClient) -> None:
        self._client = aws_client

    @property
    def clock(self) -> AwsClock:
        """AWS's clock, as set by the responses to this target."""
        return self._client.clock

    def sync_jobs(
        self,
        source: SourceId,
        *,
        since: float | None = None,
        until: float | None = None,
        status: str | None = None,
    ) -> Iterator[JobPage]:
        """Yield the pages of ListDataSourceSyncJobs. Raise ProviderError also for repeated page tokens."""
        times = {"StartTime": since, "EndTime": until}
        span = {name: datetime.fromtimestamp(time, UTC) for name, time in times.items() if time is not None}
        arguments: dict[str, Any] = {
            **_source_ids(source),
            **({"StartTimeFilter": span} if span else {}),
            **({"StatusFilter": status} if status is not None else {}),
        }
        return self._pages(
            "ListDataSourceSyncJobs",
            "list_data_source_sync_jobs",
            arguments,
            KENDRA.page_size,
            lambda page: parse_job_page(page, "History", "NextToken", JOB, self.clock),
        )

    def explain(self, source: SourceId, job: SyncJob) -> SyncJob:  # noqa: ARG002 (the protocol's)
        """Return the job: a listing contains all of it."""
        return job

    def containers(self, parent: ContainerId | None) -> Listing[str]:
        """Return the names of all indexes, from ListIndices. No container is in another one."""
        if parent is not None:
            raise ProviderError(Reason.INVALID_REQUEST, f"the index {parent.own} has data sources, and no containers")
        with self._client.client_for("ListIndices"):
            items = itemgetter("IndexConfigurationSummaryItems")
            return parse_items(self._pages("ListIndices", "list_indices", {}, MAX_LISTED, items), "Id", parse_named)

    def container_name(self, container: ContainerId) -> str:
        """Return the name of an index, from DescribeIndex."""
        return self.container(container).name

    def container(self, container: ContainerId) -> ContainerFacts:
        """Return the properties of an index, from DescribeIndex."""
        with self._client.client_for("DescribeIndex") as client:
            return parse_index(client.describe_index(Id=container.own))

    def data_sources(self, container: ContainerId) -> Listing[Description]:
        """Return the data sources of an index, from ListDataSources."""
        with self._client.client_for("ListDataSources"):
            arguments, items = {"IndexId": container.own}, itemgetter("SummaryItems")
            pages = self._pages("ListDataSources", "list_data_sources", arguments, MAX_LISTED, items)
            return parse_items(pages, "Id", parse_listed_source)

    def data_source(self, source: SourceId) -> Description:
        """Return the properties of a data source, from DescribeDataSource, without its connector configuration."""
        with self._client.client_for("DescribeDataSource") as client:
            response = client.describe_data_source(**_source_ids(source))
            required_text(response, "Name")
            return parse_data_source({"Schedule": "", **response})

    def documents(self, source: SourceId, token: str | None = None) -> DocumentPage:
        """Raise ProviderError: Kendra does not list the documents of a data source."""
        del token
        message = f"Amazon Kendra does not list the documents of data source {source.data_source_id}"
        raise ProviderError(Reason.INVALID_REQUEST, message)

    def tags(self, source: SourceId, scope: ArnScope) -> Mapping[str, str]:
        """Return the tags of a data source, from ListTagsForResource."""
        with self._client.client_for("ListTagsForResource") as client:
            return parse_tags(client.list_tags_for_resource(ResourceARN=KENDRA.arn(scope, source.path)))

    def _pages(
        self,
        operation: str,
        method: str,
        arguments: Mapping[str, Any],
        size: int,
        parse: Callable[[Mapping[str, Any]], T],
    ) -> Iterator[T]:
        """Yield the parsed pages of a listing. botocore has no paginator for it.

        Raise ProviderError also for repeated page tokens.
        """
        with self._client.client_for(operation) as client:
            request: Callable[..., Mapping[str, Any]] = getattr(client, method)
            tokens, token = PageTokens(operation), None
            while True:
                page = request(**arguments, MaxResults=size, **({"NextToken": token} if token else {}))
                token = page.get("NextToken")
                tokens.add(token)
                yield parse(page)
                if not token:
                    return


def _source_ids(source: SourceId) -> dict[str, str]:
    """Return the ids of a data source as parameters. `Id` is that of the data source here."""
    return {"Id": source.data_source_id, "IndexId": source.container.own}
