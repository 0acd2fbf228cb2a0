"""The provider of Amazon Kendra: its API operations through boto3 (API reference, version 2019-02-03)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from exporter.providers.members import required_text
from exporter.providers.paginator import ListedItems, Paginator
from exporter.providers.parameters import times

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.domain.model import ContainerFacts, ContainerId, Description, SourceId, SyncJob
    from exporter.domain.service import ArnScope
    from exporter.providers import DocumentPage, JobPage, Listing, ServiceClient
    from exporter.runtime import AwsClock

MAX_LISTED = 100  # entries on a page of indexes or data sources


class Kendra:
    """The API of Amazon Kendra for one target."""

    def __init__(self, aws_client: ServiceClient) -> None:
        self._client = aws_client
        self._paginator = Paginator(aws_client, "MaxResults", "NextToken")

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
        """Yield the pages of ListDataSourceSyncJobs. Raise ProviderError for errors and for repeated page tokens."""
        span = times({"StartTime": since, "EndTime": until})
        arguments: dict[str, Any] = {
            **_source_ids(source),
            **({"StartTimeFilter": span} if span else {}),
            **({"StatusFilter": status} if status is not None else {}),
        }
        return self._paginator.pages(
            "ListDataSourceSyncJobs",
            arguments,
            KENDRA.page_size,
            lambda page: parse_job_page(page, "History", "NextToken", JOB, self.clock),
        )

    def explain(self, source: SourceId, job: SyncJob, warnings: list[str]) -> SyncJob:  # noqa: ARG002 (the protocol's)
        """Return the job unchanged, because a listing contains all of it."""
        return job

    def containers(self, parent: ContainerId | None) -> Listing[str]:
        """Return the names of all indexes, from ListIndices. They are not nested."""
        if parent is not None:
            raise ProviderError(Reason.INVALID_REQUEST, f"the index {parent.own} has data sources, and no containers")
        items = ListedItems("IndexConfigurationSummaryItems", "Id", parse_named)
        return self._paginator.listing("ListIndices", {}, MAX_LISTED, items)

    def container_name(self, container: ContainerId) -> str:
        """Return the name of an index, from DescribeIndex, whatever its figures are."""
        with self._client.client_for("DescribeIndex") as client:
            return required_text(client.describe_index(Id=container.own), "Name")

    def container(self, container: ContainerId) -> ContainerFacts:
        """Return the properties of an index, from DescribeIndex."""
        with self._client.client_for("DescribeIndex") as client:
            return parse_index(client.describe_index(Id=container.own))

    def data_sources(self, container: ContainerId) -> Listing[Description]:
        """Return the data sources of an index, from ListDataSources."""
        items = ListedItems("SummaryItems", "Id", parse_listed_source)
        return self._paginator.listing("ListDataSources", {"IndexId": container.own}, MAX_LISTED, items)

    def data_source(self, source: SourceId) -> Description:
        """Return the properties of a data source, from DescribeDataSource, without its connector configuration."""
        with self._client.client_for("DescribeDataSource") as client:
            response = client.describe_data_source(**_source_ids(source))
            required_text(response, "Name")
            return parse_data_source({"Schedule": "", **response})

    def documents(self, source: SourceId, token: str | None = None) -> DocumentPage:
        """Raise ProviderError, because Kendra does not list the documents of a data source."""
        del token
        message = f"Amazon Kendra does not list the documents of data source {source.data_source_id}"
        raise ProviderError(Reason.INVALID_REQUEST, message)

    def tags(self, source: SourceId, scope: ArnScope) -> Mapping[str, str]:
        """Return the tags of a data source, from ListTagsForResource."""
        with self._client.client_for("ListTagsForResource") as client:
            return parse_tags(client.list_tags_for_resource(ResourceARN=KENDRA.arn(scope, source.path)))


def _source_ids(source: SourceId) -> dict[str, str]:
    """Return the ids of a data source as parameters. `Id` is the id of the data source itself."""
    return {"Id": source.data_source_id, "IndexId": source.container.own}
