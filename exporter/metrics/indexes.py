"""Metrics of a container: the properties that AWS reports, and its capacity limits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.exposition.lines import Identity
from exporter.metrics.binding import PARENT_LABELS, bind, is_available
from exporter.metrics.families import Gauge, InfoFamily, LabelledView, declarations, optional_sample, state_set
from exporter.metrics.family_filter import ALL_FAMILIES, FamilyFilter
from exporter.metrics.labels import container_label_values, container_labels, parent_labels
from exporter.metrics.phrases import AS_OF_DISCOVERY, IF_REPORTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.core import Metric

    from exporter.domain.model import ContainerFacts
    from exporter.domain.service import Service
    from exporter.domain.snapshots import ContainerSnapshot
    from exporter.exposition.lines import FormatLines
    from exporter.metrics.families import AnyFamily, Family, Sample


def _facts(snapshot: ContainerSnapshot) -> dict[str, str]:
    return {
        **parent_labels(snapshot.id),
        f"{snapshot.id.service.container.word}_type": snapshot.facts.type,
        "aws_account_id": snapshot.location.account,
        "aws_region": snapshot.location.region,
    }


def _count(choose: Callable[[ContainerFacts], int | None]) -> Callable[[ContainerSnapshot], Iterable[Sample]]:
    return lambda snapshot: optional_sample(choose(snapshot.facts))


_FAMILIES: tuple[AnyFamily, ...] = (
    InfoFamily(
        "{container}_info",
        f"Always 1; properties of the {{container}} from {{get_container}}, {AS_OF_DISCOVERY}.",
        _facts,
        (PARENT_LABELS, "{container}_type", "aws_account_id", "aws_region"),
    ),
    Gauge(
        "{container}_status",
        f"Status of the {{container}}, {AS_OF_DISCOVERY}: 1 for the current status, 0 for the others.",
        lambda snapshot: state_set(snapshot.facts.status, snapshot.id.service.container_statuses),
        ("status",),
    ),
    Gauge(
        "{container}_documents",
        f"{{container_documents}} of the {{container}}, {AS_OF_DISCOVERY}. {IF_REPORTED}",
        _count(lambda facts: facts.documents),
    ),
    Gauge(
        "{container}_text_bytes",
        f"{{container_text_bytes}} of the {{container}}, {AS_OF_DISCOVERY}. {IF_REPORTED}",
        _count(lambda facts: facts.text_bytes),
    ),
    Gauge(
        "{container}_capacity_units",
        f"{{capacity_units}} of the {{container}}, {AS_OF_DISCOVERY}. {IF_REPORTED}",
        _count(lambda facts: facts.units),
    ),
    Gauge(
        "{container}_documents_limit",
        f"Limit on the documents in the {{container}}: {{documents_limit}}, {AS_OF_DISCOVERY}.",
        _count(lambda facts: facts.documents_limit),
    ),
    Gauge(
        "{container}_text_bytes_limit",
        f"Limit on the extracted text in the {{container}}: {{text_bytes_limit}}, {AS_OF_DISCOVERY}.",
        _count(lambda facts: facts.text_bytes_limit),
    ),
    Gauge(
        "{container}_objective_min_documents",
        "Minimum number of documents in the {container}: the highest min_index_documents of its data sources. Absent "
        "if none is set, and after a reload that sets it, until discovery reads the {container} again.",
        lambda snapshot: optional_sample(snapshot.min_documents),
    ),
)


@lru_cache
def container_families(service: Service, exposed: FamilyFilter = ALL_FAMILIES) -> tuple[Family, ...]:
    """Return the families of a service's containers that are exposed."""
    families = (bind(family, service) for family in _FAMILIES if is_available(family, service))
    return tuple(family for family in families if exposed.exposes(family.name))


@dataclass(frozen=True, slots=True)
class ContainerFamilies:
    """The families of a container. They are one part, because all of them change together."""

    service: Service
    filter: FamilyFilter = ALL_FAMILIES

    def part_inputs(self, snapshot: ContainerSnapshot) -> tuple[object, ...]:
        """Return the inputs of the only part."""
        return (snapshot,)

    def collect(self, snapshot: ContainerSnapshot) -> list[Metric]:
        """Return the families with the samples of one container; families without samples are included."""
        identity = dict(zip(container_labels(self.service), container_label_values(snapshot), strict=True))
        return [family.collect(snapshot, identity) for family in container_families(self.service, self.filter)]

    def declared(self) -> dict[str, Metric]:
        """Return all families without samples by their names, in the order of the response."""
        return declarations(container_families(self.service, self.filter))

    def view(self, snapshot: ContainerSnapshot, _now: float) -> LabelledView[ContainerSnapshot]:
        """Return a snapshot with its labels. No family of a container depends on the time."""
        return LabelledView(snapshot, Identity(container_labels(self.service), container_label_values(snapshot)))

    def lines(self, view: LabelledView[ContainerSnapshot], _part: int) -> dict[str, FormatLines]:
        """Return the lines of all families, by the names of `declared`."""
        return {family.name: family.lines(*view) for family in container_families(self.service, self.filter)}

    def next_change(self, _view: LabelledView[ContainerSnapshot], _part: int) -> None:
        """Return None, because time alone changes no sample."""
