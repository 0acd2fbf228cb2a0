"""The targets before a reload and their data sources, which new targets continue with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.app.target import Target
    from exporter.domain.model import SourceId
    from exporter.domain.snapshots import SavedSource
    from exporter.polling.queue import QueueEntry
    from exporter.polling.source_state import SourceState
    from exporter.target.location import TargetLocation


@dataclass(frozen=True, slots=True)
class Handover:
    """A data source's state, its entry in the poll queue, and the target that detached it."""

    state: SourceState
    entry: QueueEntry | None
    target: str


@dataclass(frozen=True, slots=True)
class Predecessors:
    """The targets before a reload; there are none at the start.

    A new target continues those of its account and region, whatever their names are. Example: two targets with the same
    role are merged into one with another name. The new target adopts the data sources and the indexes of both.
    """

    current: Sequence[Target] = ()
    replaced: Sequence[Target] = ()
    handovers: dict[SourceId, Handover] = field(default_factory=dict)

    def location_of(self, new: Target) -> TargetLocation | None:
        """Return the location of a target with the same access to AWS, and so with the same account."""
        locations = (target.location for target in self.current if target.settings.access == new.settings.access)
        return next(locations, None)

    def continued_by(self, new: Target) -> list[Target]:
        """Return the replaced targets with the account and region of the new one, the one with its name first."""
        continued = [target for target in self.replaced if _is_same_place(target, new)]
        return sorted(continued, key=lambda target: target.name != new.name)

    def saved_sources(self, targets: Sequence[Target]) -> list[SavedSource]:
        """Return the data sources of replaced targets that no new target has adopted yet."""
        names = {target.name for target in targets}
        saved = (handover.state.saved for handover in self.handovers.values() if handover.target in names)
        return [each for each in saved if each is not None]

    def sources_of_others(self, targets: Sequence[Target]) -> set[SourceId]:
        """Return the data sources of all other replaced targets, which those of the same name must not adopt."""
        names = {target.name for target in targets}
        return {source for source, handover in self.handovers.items() if handover.target not in names}


def _is_same_place(target: Target, other: Target) -> bool:
    """Return whether two targets have the same account and region; if an account is not known, their name decides."""
    if target.settings.access == other.settings.access:
        return True
    if target.location.known and other.location.known:
        return target.location.known == other.location.known
    return target.name == other.name and target.location.region == other.location.region
