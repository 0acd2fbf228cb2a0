"""The provider of Amazon Q Business: its API operations through boto3 (API reference, version 2023-11-27)."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.providers import JobPage
from exporter.providers.page_tokens import PageTokens
from exporter.providers.qbusiness.parsing import (
    parse_data_source,
    parse_document_page,
    parse_index,
    parse_items,
    parse_job,
    parse_name,
    parse_named,
    parse_tags,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from exporter.aws import AwsClient, AwsClock
    from exporter.domain.model import ContainerFacts, ContainerId, Description, SourceId
    from exporter.providers import DocumentPage, Listing

T = TypeVar("T")

PAGE_SIZE = 10  # the maximum for sync jobs and data sources
DOCUMENT_PAGE_SIZE = 100  # the maximum for documents
BACKGROUND_OPERATIONS = frozenset({"ListDocuments"})  # their requests never delay others


class QBusiness:
    """The API of Amazon Q Business for one target."""

    def __init__(self, aws_client: AwsClient) -> None:
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
        times = {"startTime": since, "endTime": until}
        filters: dict[str, Any] = {
            name: datetime.fromtimestamp(time, UTC) for name, time in times.items() if time is not None
        }
        if status is not None:
            filters["statusFilter"] = status
        method, operation = "list_data_source_sync_jobs", "ListDataSourceSyncJobs"
        return self._pages(
            method, operation, {**_ids(source), **filters}, PAGE_SIZE, lambda page: _parse_page(page, self.clock)
        )

    def applications(self) -> Listing[str]:
        """Return the display names of all applications, from ListApplications."""
        with self._client.client_for("ListApplications"):
            pages = self._pages("list_applications", "ListApplications", {}, 100, itemgetter("applications"))
            return parse_items(pages, "applicationId", parse_named)

    def application_name(self, application_id: str) -> str:
        """Return the display name of an application, from GetApplication."""
        with self._client.client_for("GetApplication") as client:
            return parse_name(client.get_application(applicationId=application_id))

    def indexes(self, application_id: str) -> Listing[str]:
        """Return the display names of an application's indexes, from ListIndices."""
        with self._client.client_for("ListIndices"):
            arguments = {"applicationId": application_id}
            pages = self._pages("list_indices", "ListIndices", arguments, 100, itemgetter("indices"))
            return parse_items(pages, "indexId", parse_named)

    def index(self, index: ContainerId) -> ContainerFacts:
        """Return the properties of an index, from GetIndex."""
        with self._client.client_for("GetIndex") as client:
            return parse_index(client.get_index(**_index_ids(index)))

    def data_sources(self, index: ContainerId) -> Listing[Description]:
        """Return the data sources of an index, from ListDataSources."""
        with self._client.client_for("ListDataSources"):
            arguments = _index_ids(index)
            pages = self._pages("list_data_sources", "ListDataSources", arguments, PAGE_SIZE, itemgetter("dataSources"))
            return parse_items(pages, "dataSourceId", parse_data_source)

    def data_source(self, source: SourceId) -> Description:
        """Return the properties of a data source, from GetDataSource, without its connector configuration."""
        with self._client.client_for("GetDataSource") as client:
            response = client.get_data_source(**_ids(source))
            parse_name(response)
            return parse_data_source({"syncSchedule": "", **response})

    def documents(self, source: SourceId, token: str | None = None) -> DocumentPage:
        """Return a page of the documents of a data source, from ListDocuments."""
        with self._client.client_for("ListDocuments") as client:
            arguments: dict[str, Any] = {
                **_index_ids(source.container),
                "dataSourceIds": [source.data_source_id],
                "maxResults": DOCUMENT_PAGE_SIZE,
                **({"nextToken": token} if token else {}),
            }
            return parse_document_page(client.list_documents(**arguments))

    def tags(self, arn: str) -> Mapping[str, str]:
        """Return the tags of a resource, from ListTagsForResource."""
        with self._client.client_for("ListTagsForResource") as client:
            return parse_tags(client.list_tags_for_resource(resourceARN=arn))

    def _pages(
        self,
        method: str,
        operation: str,
        arguments: Mapping[str, Any],
        size: int,
        parse: Callable[[dict[str, Any]], T],
    ) -> Iterator[T]:
        """Yield the parsed pages of a listing. Raise ProviderError also for repeated page tokens."""
        with self._client.client_for(operation) as client:
            paginator: Any = client.get_paginator(method)  # type: ignore[call-overload] # a method with pages
            tokens = PageTokens(operation)
            for page in paginator.paginate(**arguments, PaginationConfig={"PageSize": size}):
                tokens.add(page.get("nextToken"))
                yield parse(page)


def _parse_page(page: Mapping[str, Any], clock: AwsClock) -> JobPage:
    headers = page.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    as_of = clock.update(headers.get("date", ""))
    warnings: list[str] = []
    # If the Date header is behind, the times of jobs prove it. They must not be ignored for being later than that Date.
    now = max(as_of, clock.host_time())
    parsed = [parse_job(raw, now, warnings) if raw is not None else None for raw in page["history"]]
    jobs = tuple(job for job in parsed if job)
    is_complete = len(jobs) == len(parsed)
    return JobPage(jobs, as_of, bool(page.get("nextToken")), tuple(warnings), is_complete)


def _index_ids(index: ContainerId) -> dict[str, Any]:
    return {"applicationId": index.application_id, "indexId": index.index_id}


def _ids(source: SourceId) -> dict[str, Any]:
    return {**_index_ids(source.container), "dataSourceId": source.data_source_id}
