"""The part of an objective's filter that is the same for all services."""

from __future__ import annotations

from pydantic import Field

from exporter.config.section import Section
from exporter.config.types import Glob, LabelGlobs, Pairs, TagGlobs
from exporter.providers.registry import SERVICES

CONTAINERS = frozenset(level.word for service in SERVICES.values() for level in service.containers)
"""The words for the containers of all services."""


class ObjectiveMatch(Section):
    """Globs that select data sources; a data source must match every key that is set."""

    service: Glob | None = Field(None, description=f"Glob for the service: {', '.join(SERVICES)}.")
    data_source: Glob | None = Field(None, description="Glob for the display name of the data source.")
    data_source_id: Glob | None = Field(None, description="Glob for the id of the data source.")
    type: Glob | None = Field(None, description="Glob for the type of the data source.")
    labels: LabelGlobs = Field(
        default_factory=Pairs, description="Labels of the data source: label name, and glob for its value."
    )
    tags: TagGlobs = Field(
        default_factory=Pairs, description="Tags of the data source: tag key, and glob for its value."
    )

    @property
    def containers(self) -> dict[str, str]:
        """The globs for the display names of containers that are set, by their words."""
        return {key: value for key, value in self if key in CONTAINERS and isinstance(value, str)}
