"""The keys of the tags that a target uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.config import DiscoveryConfig


@dataclass(frozen=True, slots=True)
class TagKeys:
    """The keys of the tags that filters, labels and objectives use. No other tag is stored."""

    of_filters: frozenset[str] = frozenset()
    of_labels: frozenset[str] = frozenset()
    of_objectives: frozenset[str] = frozenset()

    @classmethod
    def of(cls, discovery: DiscoveryConfig | None, of_objectives: frozenset[str]) -> Self:
        """Return the keys that the discovery of a target and the objectives use."""
        if discovery is None:
            return cls(of_objectives=of_objectives)
        matchers = (*discovery.include, *discovery.exclude)
        of_filters = frozenset(key for matcher in matchers for key in matcher.tags)
        return cls(of_filters, frozenset(discovery.tag_labels), of_objectives)

    @property
    def are_needed_of_all(self) -> bool:
        """Whether the tags of every selected data source are needed, instead of only those that a filter needs."""
        return bool(self.of_labels or self.of_objectives)

    def used(self, tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the tags that are used, sorted."""
        used = self.of_filters | self.of_labels | self.of_objectives
        return tuple(sorted((key, value) for key, value in tags.items() if key in used))

    def labels(self, tags: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Return the tags that are published as labels."""
        return tuple((key, value) for key, value in tags if key in self.of_labels)
