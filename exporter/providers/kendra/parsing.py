"""Parsing of the responses of Amazon Kendra (API reference, version 2019-02-03)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from exporter.domain.model import ContainerFacts, Description
from exporter.providers.job_parsing import JobMembers
from exporter.providers.kendra.service import KENDRA
from exporter.providers.members import integer, required_text, seconds, structure, text

if TYPE_CHECKING:
    from collections.abc import Mapping

JOB = JobMembers(
    execution_id="ExecutionId",
    status="Status",
    started=KENDRA.members.started,
    ended=KENDRA.members.ended,
    metrics="Metrics",
    counts=dict(KENDRA.members.document_counts),
    error=None,
    error_code="ErrorCode",
    error_message="ErrorMessage",
    connector_error="DataSourceErrorCode",
)


@dataclass(frozen=True, slots=True)
class _Capacity:
    """The limits of an edition without additional units. Each unit adds the same limits again."""

    documents: int
    text_bytes: int
    is_fixed: bool = False

    def limits(self, units: int | None) -> tuple[int, int] | None:
        """Return the limits on documents and text with additional units; None if their number is unknown."""
        if self.is_fixed:
            return self.documents, self.text_bytes
        return None if units is None else (self.documents * (1 + units), self.text_bytes * (1 + units))


# "Quotas for Amazon Kendra". A MB has 10^6 bytes here, which is the smaller interpretation, so that alerts fire early.
_CAPACITIES = {
    "DEVELOPER_EDITION": _Capacity(10_000, 3000 * 10**6, is_fixed=True),
    "ENTERPRISE_EDITION": _Capacity(100_000, 30_000 * 10**6),
    "GEN_AI_ENTERPRISE_EDITION": _Capacity(20_000, 200 * 10**6),
}


def parse_named(raw: Mapping[str, Any]) -> str:
    """Return the name of an index in a listing; empty without one."""
    return text(raw, "Name")


def parse_index(raw: Mapping[str, Any]) -> ContainerFacts:
    """Return the properties of an index from DescribeIndex, whose response has no ARN.

    StorageCapacityUnits are in addition to the capacity of the edition.
    """
    counts = structure(structure(raw, "IndexStatistics"), "TextDocumentStatistics")
    units = integer(structure(raw, "CapacityUnits"), "StorageCapacityUnits")
    edition = text(raw, "Edition")
    capacity = _CAPACITIES.get(edition)
    limits = capacity.limits(units) if capacity else None
    return ContainerFacts(
        name=required_text(raw, "Name"),
        type=edition,
        status=text(raw, "Status"),
        documents=integer(counts, KENDRA.members.container_documents),
        text_bytes=integer(counts, KENDRA.members.container_text_bytes),
        units=units,
        documents_limit=limits[0] if limits else None,
        text_bytes_limit=limits[1] if limits else None,
    )


def parse_listed_source(raw: Mapping[str, Any]) -> Description:
    """Return the properties of a data source from ListDataSources.

    All newer connectors have the type TEMPLATE, so their actual type is unknown here.
    """
    listed = parse_data_source(raw)
    return replace(listed, type="") if listed.type == "TEMPLATE" else listed


def parse_data_source(raw: Mapping[str, Any]) -> Description:
    """Return the properties of a data source from DescribeDataSource. The type of a TEMPLATE is its connector.

    The rest of its configuration, which contains host names and secrets, is not read.
    """
    template = structure(structure(structure(raw, "Configuration"), "TemplateConfiguration"), "Template")
    return Description(
        name=text(raw, "Name"),
        type=text(template, "type") or text(raw, "Type"),
        status=text(raw, "Status"),
        created=seconds(raw, "CreatedAt"),
        updated=seconds(raw, "UpdatedAt"),
        schedule=text(raw, "Schedule") if "Schedule" in raw else None,
    )


def parse_tags(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return tags from ListTagsForResource."""
    return {text(tag, "Key"): text(tag, "Value") for tag in raw["Tags"] if tag}
