"""The provider of Amazon Q Business: its API operations through boto3 (API reference, version 2023-11-27)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.providers.job_parsing import parse_job_page
from exporter.providers.paginator import ListedItems, Paginator
from exporter.providers.parameters import ids, times
from exporter.providers.qbusiness.parsing import (
    JOB,
    parse_data_source,
    parse_document_page,
    parse_index,
    parse_name,
    parse_named,
    parse_tags,
)
from exporter.providers.qbusiness.service import QBUSINESS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_qbusiness import QBusinessClient

    from exporter.domain.model import ContainerFacts, ContainerId, Description, SourceId, SyncJob
    from exporter.domain.service import ArnScope
    from exporter.providers import DocumentPage, JobPage, Listing, ServiceClient
    from exporter.runtime import AwsClock

MAX_CONTAINERS = 100  # applications or indexes on a page
_ids = partial(ids, ("applicationId", "indexId", "dataSourceId"))


class QBusiness:
    """The API of Amazon Q Business for one target."""

    def __init__(self, aws_client: ServiceClient) -> None:
        self._client = aws_client
        self._paginator = Paginator(aws_client)

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
        arguments: dict[str, Any] = {**_ids(source), **times({"startTime": since, "endTime": until})}
        if status is not None:
            arguments["statusFilter"] = status
        return self._paginator.pages(
            "ListDataSourceSyncJobs",
            arguments,
            QBUSINESS.page_size,
            lambda page: parse_job_page(page, "history", "nextToken", JOB, self.clock),
        )

    def explain(self, source: SourceId, job: SyncJob, warnings: list[str]) -> SyncJob:  # noqa: ARG002 (the protocol's)
        """Return the job unchanged, because a listing contains all of it."""
        return job

    def containers(self, parent: ContainerId | None) -> Listing[str]:
        """Return the display names of all applications, or of an application's indexes."""
        if parent is None:
            applications = ListedItems("applications", "applicationId", parse_named)
            return self._paginator.listing("ListApplications", {}, MAX_CONTAINERS, applications)
        indexes = ListedItems("indices", "indexId", parse_named)
        return self._paginator.listing("ListIndices", _ids(parent), MAX_CONTAINERS, indexes)

    def container_name(self, container: ContainerId) -> str:
        """Return the display name of an application or index, from GetApplication or GetIndex."""
        client: QBusinessClient
        if container.is_innermost:
            with self._client.client_for("GetIndex") as client:
                return parse_name(client.get_index(**_ids(container)))
        with self._client.client_for("GetApplication") as client:
            return parse_name(client.get_application(**_ids(container)))

    def container(self, container: ContainerId) -> ContainerFacts:
        """Return the properties of an index, from GetIndex."""
        client: QBusinessClient
        with self._client.client_for("GetIndex") as client:
            return parse_index(client.get_index(**_ids(container)))

    def data_sources(self, container: ContainerId) -> Listing[Description]:
        """Return the data sources of an index, from ListDataSources."""
        items = ListedItems("dataSources", "dataSourceId", parse_data_source)
        return self._paginator.listing("ListDataSources", _ids(container), QBUSINESS.page_size, items)

    def data_source(self, source: SourceId) -> Description:
        """Return the properties of a data source, from GetDataSource, without its connector configuration."""
        client: QBusinessClient
        with self._client.client_for("GetDataSource") as client:
            response = client.get_data_source(**_ids(source))
            parse_name(response)
            return parse_data_source({"syncSchedule": "", **response})

    def documents(self, source: SourceId, token: str | None = None) -> DocumentPage:
        """Return a page of the documents of a data source, from ListDocuments."""
        client: QBusinessClient
        with self._client.client_for("ListDocuments") as client:
            arguments: dict[str, Any] = {
                **_ids(source.container),
                "dataSourceIds": [source.data_source_id],
                "maxResults": QBUSINESS.document_page_size,
                **({"nextToken": token} if token else {}),
            }
            return parse_document_page(client.list_documents(**arguments))

    def tags(self, source: SourceId, scope: ArnScope) -> Mapping[str, str]:
        """Return the tags of a data source, from ListTagsForResource."""
        client: QBusinessClient
        with self._client.client_for("ListTagsForResource") as client:
            return parse_tags(client.list_tags_for_resource(resourceARN=QBUSINESS.arn(scope, source.path)))
