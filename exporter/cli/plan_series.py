"""The series of a target by metric family, and the savings of excluding families, for `plan`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.metrics import series_per_container, series_per_source
from exporter.rules.families import rules_by_family

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.service import Service
    from exporter.metrics import FamilyFilter

OWN_SERIES = 130  # series about the exporter itself
MAX_LISTED = 8  # the number of families, those with the most series


@dataclass(frozen=True, slots=True)
class _FamilySize:
    name: str
    per_resource: int
    resource: str
    series: int


def plan_series(
    service: Service, sources: int, containers: int, exposed: FamilyFilter, *, counts_documents: bool
) -> Iterator[str]:
    """Yield the number of series of a target, then the families that no shipped rule needs."""
    per_source = _exposed(series_per_source(service, counts_documents=counts_documents), exposed)
    per_container = _exposed(series_per_container(service), exposed)
    of_source, of_container = sum(per_source.values()), sum(per_container.values())
    series = sources * of_source + containers * of_container + OWN_SERIES
    yield (
        f"  series: {service.levels[-1].counted(sources)} x {of_source} + {service.container.counted(containers)} x "
        f"{of_container} + {OWN_SERIES} about the exporter = about {series:,}"
    )
    families = [_FamilySize(name, count, "data source", sources * count) for name, count in per_source.items()]
    families += [
        _FamilySize(name, count, service.container.word, containers * count) for name, count in per_container.items()
    ]
    needed = rules_by_family(family.name for family in families)
    unneeded = [family for family in families if family.name not in needed and family.series]
    if unneeded:
        yield from _savings(sorted(unneeded, key=lambda family: -family.series))


def _exposed(per_family: dict[str, int], exposed: FamilyFilter) -> dict[str, int]:
    return {name: count for name, count in per_family.items() if exposed.exposes(name)}


def _savings(families: list[_FamilySize]) -> Iterator[str]:
    total = sum(family.series for family in families)
    yield f"  metrics.exclude can save {total:,} series without effect on a shipped rule:"
    for family in families[:MAX_LISTED]:
        yield f"    {family.name:<58}{f'{family.per_resource} per {family.resource}':<18}{family.series:>9,}"
    if further := families[MAX_LISTED:]:
        yield f"    {f'{len(further)} further families':<76}{sum(family.series for family in further):>9,}"
