"""The targets before a reload, which the new targets continue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.app.handover import Inheritance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.app.handover import Handover
    from exporter.app.target import Target
    from exporter.domain.model import SourceId
    from exporter.target.location import TargetLocation


@dataclass(frozen=True, slots=True)
class Predecessors:
    """The targets before a reload.

    A new target continues the replaced targets of its service, account and region, whatever their names.
    Example: two targets with the same role are merged into one with another name. The new target adopts the data
    sources and the indexes of both.
    """

    current: Sequence[Target]
    replaced: Sequence[Target]
    handovers: dict[SourceId, Handover]
    is_reload: bool

    def location_of(self, new: Target) -> TargetLocation | None:
        """Return the location of a target with the same access to AWS, which has the same account."""
        locations = (target.location for target in self.current if target.settings.access == new.settings.access)
        return next(locations, None)

    def inheritance_of(self, new: Target) -> Inheritance:
        """Return the values that a new target continues with, except data sources that another target has adopted."""
        continued = sorted(
            (target for target in self.replaced if _is_same_place(target, new)),
            key=lambda target: target.name != new.name,
        )
        names = {target.name for target in continued}
        found = (handover.state.saved for handover in self.handovers.values() if handover.target in names)
        return Inheritance(
            is_reload=self.is_reload,
            handovers=self.handovers,
            found=[saved for saved in found if saved is not None],
            others={source for source, handover in self.handovers.items() if handover.target not in names},
            reconcilers=[target.reconciler for target in continued],
            reachability=continued[0].reachability if continued else None,
            discovery=continued[0].discovery if continued else None,
        )


def _is_same_place(target: Target, other: Target) -> bool:
    """Return whether two targets have the same service, account and region.

    If an account is not known, their name decides.
    """
    if target.settings.target.service is not other.settings.target.service:
        return False
    if target.settings.access == other.settings.access:
        return True
    if target.location.known and other.location.known:
        return target.location.known == other.location.known
    return target.name == other.name and target.location.region == other.location.region
