"""Immutable snapshots of data sources and containers: the only data that the write half passes to the read half."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.domain.clock_check import ClockReading
    from exporter.domain.counting.source_history import SourceHistory
    from exporter.domain.documents import DocumentsByStatus
    from exporter.domain.model import ContainerFacts, ContainerId, DataSource, Description, Location, Names
    from exporter.domain.objective_record import ObjectiveRecord
    from exporter.errors import Reason


@dataclass(frozen=True, slots=True)
class PollFailure:
    """The error of a failed poll: its reason, as in the metrics, and its message, for readers."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class SourceSnapshot:
    """The state of one data source after a poll.

    `container` is the display name of its container. It is empty, and `description` is None, until discovery or a
    request has returned them. The description has the tags that are published; `tags` are all that the configuration
    uses. `poll_succeeded` is None between a restart and the first poll. `poll_failure` is the error of the last poll if
    that failed. `objectives` is None until the description is known. `documents` is the last complete count.
    """

    source: DataSource
    names: Names
    history: SourceHistory | None
    poll_succeeded: bool | None
    polled_at: float | None
    container: str = ""
    description: Description | None = None
    location: Location | None = None
    poll_failure: PollFailure | None = None
    objectives: ObjectiveRecord | None = None
    documents: DocumentsByStatus | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def container_names(self) -> dict[str, str]:
        """Return the display names of the containers by their words, such as `application` and `index`."""
        service = self.source.id.service
        # With one level of containers, the resolved name is used, because it is known first.
        return {service.container.word: self.container, service.root.word: self.names.root}


@dataclass(frozen=True, slots=True)
class ContainerSnapshot:
    """The state of one container, with the resolved display names of itself and its outermost container.

    `facts` were read at `read_at`, on AWS's clock. `min_documents` is the objective for them, if there is one.
    """

    id: ContainerId
    root: str
    name: str
    facts: ContainerFacts
    location: Location
    read_at: float
    min_documents: float | None = None

    def container_names(self) -> dict[str, str]:
        """Return the display names of the container and of the outermost one by their words."""
        return {self.id.service.root.word: self.root, self.id.service.container.word: self.name}


@dataclass(frozen=True, slots=True)
class SavedSource:
    """A data source as discovery last found it. After a restart, it is used until discovery has run.

    `location` is the location of its target, if it was known. `watched_since` is the time since which its jobs count; a
    restart needs it for a source that was found but not polled yet. `is_described` is true once AWS has returned the
    description itself or has refused to, so that the source is published immediately after a restart.
    """

    source: DataSource
    container: str
    description: Description
    location: Location | None = None
    watched_since: ClockReading | None = None
    is_described: bool = False
    objectives: ObjectiveRecord | None = None

    def belongs_to(self, target: str, location: Location | None) -> bool:
        """Return whether it belongs to a location; if one of the locations is unknown, the target's name decides."""
        return self.location == location if self.location and location else self.source.target == target
