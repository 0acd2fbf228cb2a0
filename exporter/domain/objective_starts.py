"""The times at which the objectives of a data source took effect. They do not apply to the time before.

The record of a source has the values of its objectives and their starts. It is saved, so that a restart does not make
an objective look older than it is. An objective that is changed while the exporter is down takes effect at the restart.

Example: a success age of 8 days is in effect when the source is first seen, and has no start. At 12:00, a reload sets
it to one day. This is stricter, so its start is 12:00. Another reload sets it to two days, and the start remains 12:00:
an age that violates two days violates one day as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.objective_record import ObjectiveRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.objectives import Objectives

MAXIMA = ("max_success_age", "max_duration", "max_failed_ratio", "expected_every")
MINIMA = ("min_documents_scanned", "min_index_documents")


def record_objectives(
    known: ObjectiveRecord | None, objectives: Objectives, schedule_since: float | None, now: float
) -> ObjectiveRecord:
    """Return the record of the objectives in effect at a time on AWS's clock; `known` is the record before."""
    values = {name: value for name in (*MAXIMA, *MINIMA) if (value := getattr(objectives, name)) is not None}
    if known is None:
        return ObjectiveRecord(values, initial_starts(objectives, schedule_since))
    kept = {name: start for name, start in known.starts.items() if name in values}
    stricter = {name: now for name, value in values.items() if _is_stricter(name, value, known)}
    return ObjectiveRecord(values, {**kept, **stricter})


def initial_starts(objectives: Objectives, schedule_since: float | None) -> Mapping[str, float]:
    """Return the starts of objectives that were not recorded before.

    An objective that is derived from the schedule is not older than the schedule.
    """
    if objectives.follows_schedule and schedule_since is not None:
        return {"max_success_age": schedule_since}
    return {}


def _is_stricter(name: str, value: float, known: ObjectiveRecord) -> bool:
    before = known.values.get(name)
    if before is None:
        return True
    return value > before if name in MINIMA else value < before
