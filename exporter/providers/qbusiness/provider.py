"""The provider of Amazon Q Business: its API operations through boto3 (API reference, version 2023-11-27)."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from exporter.providers.job_parsing import parse_job_page
from exporter.providers.members import parse_items
from exporter.providers.paginator import Paginator
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

    from exporter.domain.model import ContainerFacts, ContainerId, Description, ResourceId, SourceId, SyncJob
    from exporter.domain.service import ArnScope
    from exporter.providers import DocumentPage, JobPage, Listing, ServiceClient
    from exporter.runtime import AwsClock


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
        """Yield the pages of ListDataSourceSyncJobs. Raise ProviderError also for repeated page tokens."""
        times = {"startTime": since, "endTime": until}
        filters: dict[str, Any] = {
            name: datetime.fromtimestamp(time, UTC) for name, time in times.items() if time is not None
        }
        if status is not None:
            filters["statusFilter"] = status
        method, operation = "list_data_source_sync_jobs", "ListDataSourceSyncJobs"
        return self._paginator.pages(
            method,
            operation,
            {**_ids(source), **filters},
            QBUSINESS.page_size,
            lambda page: parse_job_page(page, "history", "nextToken", JOB, self.clock),
        )

    def explain(self, source: SourceId, job: SyncJob) -> SyncJob:  # noqa: ARG002 (the protocol's)
        """Return the job: a listing contains all of it."""
        return job

    def containers(self, parent: ContainerId | None) -> Listing[str]:
        """Return the display names of all applications, or of an application's indexes."""
        if parent is None:
            return self._names("list_applications", "ListApplications", {}, "applications", "applicationId")
        return self._names("list_indices", "ListIndices", _ids(parent), "indices", "indexId")

    def container_name(self, container: ContainerId) -> str:
        """Return the display name of an application or index, from GetApplication or GetIndex."""
        if container.is_innermost:
            return self.container(container).name
        client: QBusinessClient
        with self._client.client_for("GetApplication") as client:
            return parse_name(client.get_application(**_ids(container)))

    def container(self, container: ContainerId) -> ContainerFacts:
        """Return the properties of an index, from GetIndex."""
        client: QBusinessClient
        with self._client.client_for("GetIndex") as client:
            return parse_index(client.get_index(**_ids(container)))

    def data_sources(self, container: ContainerId) -> Listing[Description]:
        """Return the data sources of an index, from ListDataSources."""
        with self._client.client_for("ListDataSources"):
            arguments = _ids(container)
            pages = self._paginator.pages(
                "list_data_sources", "ListDataSources", arguments, QBUSINESS.page_size, itemgetter("dataSources")
            )
            return parse_items(pages, "dataSourceId", parse_data_source)

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

    def _names(self, method: str, operation: str, arguments: Mapping[str, Any], key: str, id_key: str) -> Listing[str]:
        with self._client.client_for(operation):
            return parse_items(
                self._paginator.pages(method, operation, arguments, 100, itemgetter(key)), id_key, parse_named
            )


def _ids(resource: ResourceId) -> dict[str, Any]:
    """Return the ids of a resource as parameters of a request."""
    return dict(zip(("applicationId", "indexId", "dataSourceId"), resource.path, strict=False))
