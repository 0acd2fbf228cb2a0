"""The provider of Amazon Bedrock knowledge bases: its API operations through boto3 (API version 2023-06-05)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.errors import ProviderError, Reason
from exporter.providers.bedrock.knowledge_bases import KnowledgeBases
from exporter.providers.bedrock.parsing import (
    JOB,
    listed_job,
    parse_data_source,
    parse_document_page,
    parse_explained,
    parse_knowledge_base,
    parse_listed_source,
    parse_named,
    parse_tags,
    words_for,
)
from exporter.providers.bedrock.service import BEDROCK
from exporter.providers.bedrock.time_filter import started_within
from exporter.providers.job_parsing import parse_job_page
from exporter.providers.members import structure
from exporter.providers.paginator import ListedItems, Paginator
from exporter.providers.parameters import ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.domain.model import ContainerFacts, ContainerId, Description, SourceId, SyncJob
    from exporter.domain.service import ArnScope
    from exporter.providers import DocumentPage, JobPage, Listing, ServiceClient
    from exporter.runtime import AwsClock

# The page size of a poll that searches for new jobs, and of any other read. A large page of known jobs is slow to
# parse.
NEW_JOBS, ALL_JOBS = 10, 100
_NEWEST_FIRST = {"attribute": "STARTED_AT", "order": "DESCENDING"}
_ids = partial(ids, ("knowledgeBaseId", "dataSourceId"))


class Bedrock:
    """The API of Amazon Bedrock knowledge bases for one target."""

    def __init__(self, aws_client: ServiceClient) -> None:
        self._client = aws_client
        self._paginator = Paginator(aws_client)
        self._knowledge_bases = KnowledgeBases()

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
        """Yield the pages of ListIngestionJobs. Raise ProviderError for errors and for repeated page tokens.

        AWS does not document how a filter by several statuses selects jobs. So each status has its own request.
        """
        size = NEW_JOBS if since is not None and until is None else ALL_JOBS
        for word in (None,) if status is None else words_for(status):
            yield from started_within(self._job_pages(source, word, size), since, until)

    def explain(self, source: SourceId, job: SyncJob, warnings: list[str]) -> SyncJob:
        """Return a job with its outcome, from GetIngestionJob."""
        with self._client.client_for("GetIngestionJob") as client:
            response = client.get_ingestion_job(**_ids(source), ingestionJobId=job.execution_id)
            # A Date header that is behind is corrected only after the poll, and the listing has had these times before.
            now = max(self.clock.now(), self.clock.host_time(), job.end_or_start)
            raw = structure(response, "ingestionJob")
            if not raw:
                raise ProviderError(Reason.MALFORMED_RESPONSE, "malformed response: no ingestionJob")
            return parse_explained(raw, job, now, warnings)

    def containers(self, parent: ContainerId | None) -> Listing[str]:
        """Return the names of all knowledge bases, from ListKnowledgeBases. They are not nested."""
        if parent is not None:
            message = f"the knowledge base {parent.own} has data sources, and no containers"
            raise ProviderError(Reason.INVALID_REQUEST, message)
        items = ListedItems("knowledgeBaseSummaries", "knowledgeBaseId", self._parse_listed)
        return self._paginator.listing("ListKnowledgeBases", {}, BEDROCK.page_size, items)

    def container_name(self, container: ContainerId) -> str:
        """Return the name of a knowledge base, from GetKnowledgeBase."""
        return self.container(container).name

    def container(self, container: ContainerId) -> ContainerFacts:
        """Return the properties of a knowledge base, from GetKnowledgeBase if it is new or was updated."""
        current = self._knowledge_bases.current(container.own)
        if current is not None:
            return current
        version = self._knowledge_bases.version(container.own)
        with self._client.client_for("GetKnowledgeBase") as client:
            facts = parse_knowledge_base(client.get_knowledge_base(**_ids(container)))
        self._knowledge_bases.record_read(container.own, version, facts)
        return facts

    def data_sources(self, container: ContainerId) -> Listing[Description]:
        """Return the data sources of a knowledge base, from ListDataSources."""
        items = ListedItems("dataSourceSummaries", "dataSourceId", parse_listed_source)
        return self._paginator.listing("ListDataSources", _ids(container), BEDROCK.page_size, items)

    def data_source(self, source: SourceId) -> Description:
        """Return the properties of a data source, from GetDataSource, without its connector parameters."""
        with self._client.client_for("GetDataSource") as client:
            return parse_data_source(client.get_data_source(**_ids(source)))

    def documents(self, source: SourceId, token: str | None = None) -> DocumentPage:
        """Return a page of the documents of a data source, from ListKnowledgeBaseDocuments."""
        arguments: dict[str, Any] = {**_ids(source), "maxResults": BEDROCK.document_page_size}
        with self._client.client_for("ListKnowledgeBaseDocuments") as client:
            page = client.list_knowledge_base_documents(**arguments, **({"nextToken": token} if token else {}))
            return parse_document_page(page)

    def tags(self, source: SourceId, scope: ArnScope) -> Mapping[str, str]:
        """Return the tags of a data source's knowledge base, from ListTagsForResource. Data sources have no tags."""
        with self._client.client_for("ListTagsForResource") as client:
            arn = BEDROCK.arn(scope, source.root.path)
            return parse_tags(client.list_tags_for_resource(resourceArn=arn))

    def _job_pages(self, source: SourceId, word: str | None, size: int) -> Iterator[JobPage]:
        arguments: dict[str, Any] = {**_ids(source), "sortBy": _NEWEST_FIRST}
        if word is not None:
            arguments["filters"] = [{"attribute": "STATUS", "operator": "EQ", "values": [word]}]
        return self._paginator.pages("ListIngestionJobs", arguments, size, self._parse_jobs)

    def _parse_jobs(self, page: Mapping[str, Any]) -> JobPage:
        parsed = parse_job_page(page, "ingestionJobSummaries", "nextToken", JOB, self.clock)
        return replace(parsed, jobs=tuple(map(listed_job, parsed.jobs)))

    def _parse_listed(self, raw: Mapping[str, Any]) -> str:
        self._knowledge_bases.record_listed(raw)
        return parse_named(raw)
