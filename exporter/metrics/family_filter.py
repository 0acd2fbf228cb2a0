"""Selects the metric families that are exposed."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric


@dataclass(frozen=True, slots=True)
class FamilyFilter:
    """Selects the families that no glob of `metrics.exclude` matches."""

    exclude: tuple[str, ...] = ()

    def exposes(self, name: str) -> bool:
        """Return whether the family with a name is exposed."""
        return not any(fnmatchcase(name, glob) for glob in self.exclude)


ALL_FAMILIES = FamilyFilter()


class FilteredRegistry:
    """The families of a registry that a filter selects."""

    def __init__(self, registry: CollectorRegistry, families: FamilyFilter) -> None:
        self._registry = registry
        self._families = families

    def use_filter(self, families: FamilyFilter) -> None:
        """Select families by another filter."""
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Yield the selected families with their samples."""
        return (metric for metric in self._registry.collect() if self._families.exposes(exposed_name(metric)))


def exposed_name(metric: Metric) -> str:
    """Return the name of a family in the exposition. prometheus_client omits the suffix of counters."""
    return f"{metric.name}_total" if metric.type == "counter" else str(metric.name)
