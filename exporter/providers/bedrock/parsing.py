"""Parsing of the responses of Amazon Bedrock knowledge bases (API version 2023-06-05)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from exporter.domain.counting.explanation import without_outcome
from exporter.domain.documents import Document
from exporter.domain.model import TERMINAL, ContainerFacts, Description, SyncJobStatus
from exporter.providers.bedrock.failure_reasons import kind_of, message_of, parse_reasons
from exporter.providers.bedrock.service import BEDROCK
from exporter.providers.document_parsing import parse_documents
from exporter.providers.job_parsing import JobMembers, parse_job
from exporter.providers.members import required_text, seconds, structure, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.model import SyncJob
    from exporter.providers import DocumentPage

JOB = JobMembers(
    execution_id="ingestionJobId",
    status="status",
    started=BEDROCK.members.started,
    ended=BEDROCK.members.ended,
    metrics="statistics",
    counts=dict(BEDROCK.members.document_counts),
)
# The statuses of ingestion jobs, in the words of all services. A COMPLETE job may have ignored or failed to ingest all
# of its documents. So it is INCOMPLETE until it is known that no document failed.
_STATUSES = {
    "STARTING": SyncJobStatus.SYNCING,
    "IN_PROGRESS": SyncJobStatus.SYNCING,
    "STOPPING": SyncJobStatus.STOPPING,
    "COMPLETE": SyncJobStatus.INCOMPLETE,
    "FAILED": SyncJobStatus.FAILED,
    "STOPPED": SyncJobStatus.ABORTED,
}
_SELECTED_BY = {SyncJobStatus.SUCCEEDED: ("COMPLETE",)}


def words_for(status: str) -> tuple[str, ...]:
    """Return the statuses of ingestion jobs that correspond to a status of all services."""
    return _SELECTED_BY.get(SyncJobStatus(status)) or tuple(
        word for word, meaning in _STATUSES.items() if meaning == status
    )


def listed_job(job: SyncJob) -> SyncJob:
    """Return a parsed job of a listing with a status of all services.

    If it has ended, it needs an explanation. The service has no member for the end of a job. It is the time of the last
    update of an ended job.
    """
    status = _STATUSES.get(job.status, job.status)
    is_terminal = status in TERMINAL
    return structs.replace(job, status=status, ended=job.ended if is_terminal else None, needs_explanation=is_terminal)


def parse_explained(raw: Mapping[str, Any], listed: SyncJob, now: float, warnings: list[str]) -> SyncJob:
    """Return a listed job as GetIngestionJob describes it, which has the reasons of failures.

    A job succeeded only if it is COMPLETE, the response states that no document failed, and there are no reasons. If
    the response cannot be used, its outcome is unknown, because a repetition would have the same members. Append to
    `warnings`.
    """
    problems: list[str] = []
    parsed = parse_job({**raw, JOB.started: listed.started}, JOB, now, problems)
    if parsed is None or parsed.execution_id != listed.execution_id:
        problem = "; ".join(problems) if parsed is None else f"the response is about job {parsed.execution_id}"
        warnings.append(f"the outcome of job {listed.execution_id} is unknown: {problem}")
        return without_outcome(listed, problem)
    warnings += problems
    reasons, job = parse_reasons(raw, f"job {listed.execution_id}", warnings), listed_job(parsed)
    if job.is_terminal and job.ended is None:
        job = structs.replace(job, ended=listed.ended)
    is_flawless = parsed.status == "COMPLETE" and job.documents.failed == 0 and not reasons
    return structs.replace(
        job,
        status=SyncJobStatus.SUCCEEDED if is_flawless else job.status,
        error_code=kind_of(reasons),
        error_message=message_of(reasons),
        has_failure_reasons=bool(reasons),
        needs_explanation=False,
    )


def parse_named(raw: Mapping[str, Any]) -> str:
    """Return the name of a knowledge base in a listing."""
    return text(raw, "name")


def parse_knowledge_base(raw: Mapping[str, Any]) -> ContainerFacts:
    """Return the properties of a knowledge base from GetKnowledgeBase, which returns no sizes and no limits.

    Its storage configuration, which contains host names and secrets, is not read.
    """
    found = structure(raw, "knowledgeBase")
    return ContainerFacts(
        name=required_text(found, "name"),
        type=text(structure(found, "knowledgeBaseConfiguration"), "type"),
        status=text(found, "status"),
        arn=text(found, "knowledgeBaseArn"),
    )


def parse_listed_source(raw: Mapping[str, Any]) -> Description:
    """Return the properties of a data source from ListDataSources, without its type and its creation time."""
    return Description(text(raw, "name"), type="", status=text(raw, "status"), updated=seconds(raw, "updatedAt"))


def parse_data_source(raw: Mapping[str, Any]) -> Description:
    """Return the properties of a data source from GetDataSource. The type of a managed one includes its connector.

    The other parameters of the connector, which contain host names and secrets, are not read.
    """
    found = structure(raw, "dataSource")
    configuration = structure(found, "dataSourceConfiguration")
    managed = structure(configuration, "managedKnowledgeBaseConnectorConfiguration")
    return Description(
        name=required_text(found, "name"),
        type=text(structure(managed, "connectorParameters"), "type") or text(configuration, "type"),
        status=text(found, "status"),
        created=seconds(found, "createdAt"),
        updated=seconds(found, "updatedAt"),
        schedule=_schedule(_without_nulls(structure(managed, BEDROCK.members.schedule))),
    )


def _schedule(raw: Mapping[str, Any]) -> str:
    """Return a schedule in the notation of `domain.schedules.period`; the name of its member if it is undocumented."""
    if "daily" in raw:
        return "every day"
    if "weekly" in raw:
        return f"weekly on {text(structure(raw, 'weekly'), 'dayOfWeek')}"
    if "monthly" in raw:
        day = _without_nulls(structure(structure(raw, "monthly"), "dayOfMonth"))
        return f"monthly on day {day['dayNumber']}" if "dayNumber" in day else "monthly on the last day"
    return next(iter(raw), "")


def _without_nulls(union: Mapping[str, Any]) -> dict[str, Any]:
    """Return the member of a union that is set. A response may contain the others as null."""
    return {name: value for name, value in union.items() if value is not None}


def parse_document_page(raw: Mapping[str, Any]) -> DocumentPage:
    """Return a page of ListKnowledgeBaseDocuments."""
    return parse_documents(raw, "documentDetails", "nextToken", _parse_document)


def _parse_document(raw: Mapping[str, Any]) -> Document:
    """Return a document. Its id is the address of a file, or one that a caller has chosen."""
    identifier = structure(raw, "identifier")
    return Document(
        id=text(structure(identifier, "s3"), "uri") or text(structure(identifier, "custom"), "id"),
        status=text(raw, "status"),
        error_message=text(raw, "statusReason"),
        updated=seconds(raw, "updatedAt"),
    )


def parse_tags(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return tags from ListTagsForResource, which are an object, and not a list as in other services."""
    tags = structure(raw, "tags")
    return {key: text(tags, key) for key in tags}
