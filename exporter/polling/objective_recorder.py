"""Records which objectives are in effect for a data source, and since when."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from exporter.domain.objective_starts import record_objectives
from exporter.domain.source_view import SourceView

if TYPE_CHECKING:
    from exporter.domain.objective_record import ObjectiveRecord
    from exporter.domain.objectives import ObjectiveRule
    from exporter.domain.snapshots import SourceSnapshot


class ObjectiveRecorder:
    """Records objectives by the configured rules, which a reload replaces. All targets share one recorder."""

    def __init__(self, rules: tuple[ObjectiveRule, ...] = ()) -> None:
        self._rules = rules

    def use(self, rules: tuple[ObjectiveRule, ...]) -> bool:
        """Use other rules from now on; return whether they differ from the previous ones."""
        before, self._rules = self._rules, rules
        return rules != before

    def record(self, known: ObjectiveRecord | None, snapshot: SourceSnapshot, now: float) -> ObjectiveRecord | None:
        """Return the record of a source. Until its description is known, no rule can match, and `known` is returned."""
        if snapshot.description is None:
            return known
        view = SourceView(snapshot, now, math.inf, self._rules)
        return record_objectives(known, view.objectives, snapshot.description.schedule_since, now)
