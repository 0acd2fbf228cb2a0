"""Metrics of an index: the properties that GetIndex reports, and its capacity limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.exposition.lines import Identity
from exporter.metrics.families import Gauge, InfoFamily, LabelledView, declarations, optional_sample, state_set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from exporter.domain.model import ContainerFacts, ContainerId
    from exporter.domain.snapshots import ContainerSnapshot
    from exporter.exposition.lines import FormatLines
    from exporter.metrics.families import Family, Sample

INDEX_LABELS = ("application", "index", "index_id")
_AS_OF = "as of the last discovery"
_IF_REPORTED = "Absent if the API does not report it."


def _facts(snapshot: ContainerSnapshot) -> dict[str, str]:
    return {
        **_parent_ids(snapshot.id),
        "index_type": snapshot.facts.type,
        "aws_account_id": snapshot.location.account,
        "aws_region": snapshot.location.region,
    }


def _count(choose: Callable[[ContainerFacts], int | None]) -> Callable[[ContainerSnapshot], Iterator[Sample]]:
    return lambda snapshot: optional_sample(choose(snapshot.facts))


def _parent_ids(container: ContainerId) -> dict[str, str]:
    parents = zip(container.service.containers, container.path[:-1], strict=False)
    return {level.key: identifier for level, identifier in parents}


CONTAINER_FAMILIES: tuple[Family, ...] = (
    InfoFamily(
        "qbusiness_index_info",
        f"Always 1; properties of the index from GetIndex, {_AS_OF}.",
        _facts,
        ("application_id", "index_type", "aws_account_id", "aws_region"),
    ),
    Gauge(
        "qbusiness_index_status",
        f"Status of the index, {_AS_OF}: 1 for the current status, 0 for the others.",
        lambda snapshot: state_set(snapshot.facts.status, snapshot.id.service.container_statuses),
        ("status",),
    ),
    Gauge(
        "qbusiness_index_documents",
        f"indexedTextDocumentCount of the index, {_AS_OF}. {_IF_REPORTED}",
        _count(lambda facts: facts.documents),
    ),
    Gauge(
        "qbusiness_index_text_bytes",
        f"indexedTextBytes of the index, {_AS_OF}. {_IF_REPORTED}",
        _count(lambda facts: facts.text_bytes),
    ),
    Gauge(
        "qbusiness_index_capacity_units",
        f"Capacity units of the index, {_AS_OF}. {_IF_REPORTED}",
        _count(lambda facts: facts.units),
    ),
    Gauge(
        "qbusiness_index_documents_limit",
        f"Limit on the documents in the index: its capacity units times 20,000, {_AS_OF}.",
        _count(lambda facts: facts.documents_limit),
    ),
    Gauge(
        "qbusiness_index_text_bytes_limit",
        f"Limit on the extracted text in the index: its capacity units times 200 MB (10^6 bytes), {_AS_OF}.",
        _count(lambda facts: facts.text_bytes_limit),
    ),
    Gauge(
        "qbusiness_index_objective_min_documents",
        "Number of documents that the index holds at least: the highest min_index_documents of its data sources. "
        "Absent without one, and until the index has been read after a reload has set it.",
        lambda snapshot: optional_sample(snapshot.min_documents),
    ),
)


@dataclass(frozen=True, slots=True)
class ContainerFamilies:
    """The families of an index. They are one part: all change together."""

    def part_inputs(self, snapshot: ContainerSnapshot) -> tuple[object, ...]:
        """Return the inputs of the only part."""
        return (snapshot,)

    def collect(self, snapshot: ContainerSnapshot) -> list[Metric]:
        """Return the families with the samples of one index; families without samples are included."""
        identity = dict(zip(INDEX_LABELS, _names(snapshot), strict=True))
        return [family.collect(snapshot, identity) for family in CONTAINER_FAMILIES]

    def declared(self) -> dict[str, Metric]:
        """Return all families without samples by their names, in the order of the response."""
        return declarations(CONTAINER_FAMILIES)

    def view(self, snapshot: ContainerSnapshot, _now: float) -> LabelledView[ContainerSnapshot]:
        """Return a snapshot with its labels: no family of an index depends on the time."""
        return LabelledView(snapshot, Identity.of(INDEX_LABELS, _names(snapshot)))

    def lines(self, view: LabelledView[ContainerSnapshot], _part: int) -> dict[str, FormatLines]:
        """Return the lines of all families, by the names of `declared`."""
        return {family.name: family.lines(*view) for family in CONTAINER_FAMILIES}

    def next_change(self, _view: LabelledView[ContainerSnapshot], _part: int) -> None:
        """Return None: time alone changes no sample."""


def _names(snapshot: ContainerSnapshot) -> tuple[str, ...]:
    """Return the values of INDEX_LABELS."""
    return snapshot.root, snapshot.name, snapshot.id.own
