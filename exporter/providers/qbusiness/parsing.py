"""Parsing of the responses of Amazon Q Business (API reference, version 2023-11-27)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.domain.documents import Document
from exporter.domain.model import ContainerFacts, Description
from exporter.providers.document_parsing import parse_documents
from exporter.providers.job_parsing import JobMembers
from exporter.providers.members import integer, required_text, seconds, structure, text
from exporter.providers.qbusiness.service import QBUSINESS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.providers import DocumentPage

JOB = JobMembers(
    execution_id="executionId",
    status="status",
    started=QBUSINESS.members.started,
    ended=QBUSINESS.members.ended,
    metrics="metrics",
    counts=dict(QBUSINESS.members.document_counts),
    error="error",
    error_code="errorCode",
    error_message="errorMessage",
    connector_error="dataSourceErrorCode",
)
# The two limits of one capacity unit (User Guide, "Index capacity"). The index is full when it reaches either limit.
DOCUMENTS_PER_UNIT = 20_000
TEXT_BYTES_PER_UNIT = 200 * 10**6  # "200 MB" in the guide, in the smaller interpretation, so that alerts fire early


def parse_named(raw: Mapping[str, Any]) -> str:
    """Return the display name of an application or index in a listing; empty without one."""
    return text(raw, "displayName")


def parse_name(raw: Mapping[str, Any]) -> str:
    """Return the display name from a Get operation. Raise ProviderError if there is none."""
    return required_text(raw, "displayName")


def parse_data_source(raw: Mapping[str, Any]) -> Description:
    """Return the properties of a data source from ListDataSources or GetDataSource.

    The connector configuration, which contains host names and secrets, is not read.
    """
    return Description(
        name=text(raw, "displayName"),
        type=text(raw, "type"),
        status=text(raw, "status"),
        created=seconds(raw, "createdAt"),
        updated=seconds(raw, "updatedAt"),
        schedule=text(raw, "syncSchedule") if "syncSchedule" in raw else None,
    )


def parse_document_page(raw: Mapping[str, Any]) -> DocumentPage:
    """Return a page of ListDocuments."""
    return parse_documents(raw, "documentDetailList", "nextToken", _parse_document)


def _parse_document(raw: Mapping[str, Any]) -> Document:
    error = structure(raw, "error")
    return Document(
        id=text(raw, "documentId"),
        status=text(raw, "status"),
        error_code=text(error, "errorCode"),
        error_message=text(error, "errorMessage"),
        created=seconds(raw, "createdAt"),
        updated=seconds(raw, "updatedAt"),
    )


def parse_index(raw: Mapping[str, Any]) -> ContainerFacts:
    """Return the properties of an index from GetIndex."""
    counts = structure(structure(raw, "indexStatistics"), "textDocumentStatistics")
    units = integer(structure(raw, "capacityConfiguration"), "units")
    return ContainerFacts(
        name=parse_name(raw),
        type=text(raw, "type"),
        status=text(raw, "status"),
        arn=text(raw, "indexArn"),
        documents=integer(counts, "indexedTextDocumentCount"),
        text_bytes=integer(counts, "indexedTextBytes"),
        units=units,
        documents_limit=None if units is None else units * DOCUMENTS_PER_UNIT,
        text_bytes_limit=None if units is None else units * TEXT_BYTES_PER_UNIT,
    )


def parse_tags(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return tags from ListTagsForResource."""
    return {text(tag, "key"): text(tag, "value") for tag in raw["tags"] if tag}
