"""The knowledge bases that were read. Each is requested again only after it has changed.

An account may have 10,000 knowledge bases. A listing has the time of the last update and the status of each one.
GetKnowledgeBase returns the type and the ARN, which change only with an update.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.providers.members import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.model import ContainerFacts

Version = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Read:
    version: Version
    facts: ContainerFacts


class KnowledgeBases:
    """The knowledge bases of a target as of the last listing and of their last requests."""

    def __init__(self) -> None:
        self._listed: dict[str, Version] = {}
        self._read: dict[str, _Read] = {}

    def record_listed(self, raw: Mapping[str, Any]) -> None:
        """Record an entry of a listing."""
        self._listed[text(raw, "knowledgeBaseId")] = str(raw.get("updatedAt")), text(raw, "status")

    def current(self, identifier: str) -> ContainerFacts | None:
        """Return a knowledge base that has not changed since it was read; None if it must be requested."""
        read = self._read.get(identifier)
        return read.facts if read and read.version == self._listed.get(identifier) else None

    def version(self, identifier: str) -> Version | None:
        """Return the version in the last listing; None if no listing has contained the knowledge base."""
        return self._listed.get(identifier)

    def record_read(self, identifier: str, version: Version | None, facts: ContainerFacts) -> None:
        """Record the response to a request; `version` is the version in the listing before the request."""
        if version is not None:
            self._read[identifier] = _Read(version, facts)
