"""Properties of data sources that are missing in the listings of some services: the type and the creation time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

    from exporter.domain.model import ContainerId, Description, SourceId
    from exporter.providers import Provider


@dataclass(frozen=True, slots=True)
class _Described:
    version: float | None
    description: Description


class SourceDescriptions:
    """Requests the description of a data source when a property is needed, and again after an update of the source."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._described: dict[ContainerId, dict[str, _Described]] = {}

    def adopt(self, before: SourceDescriptions) -> None:
        """Add the descriptions of another one of these."""
        self._described |= before._described

    def complete(self, source: SourceId, listed: Description) -> Description:
        """Return the listed properties, with the type and the creation time that only the description has.

        Raise ProviderError if the request fails.
        """
        described = self._described.setdefault(source.container, {})
        known = described.get(source.own)
        if known is None or known.version != listed.updated:
            known = described[source.own] = _Described(listed.updated, self._provider.data_source(source))
        created = known.description.created if listed.created is None else listed.created
        return replace(listed, type=listed.type or known.description.type, created=created)

    def retain(self, container: ContainerId, listed: Container[str]) -> None:
        """Remove the descriptions of the data sources that a listing of their container no longer has."""
        described = self._described.pop(container, {})
        if kept := {identifier: each for identifier, each in described.items() if identifier in listed}:
            self._described[container] = kept
