"""All the metrics of a data source, and when time alone changes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.domain.source_view import SourceView
from exporter.metrics.data_source import ABOUT_FAMILIES, SCHEDULE_FAMILIES
from exporter.metrics.objectives import OBJECTIVE_FAMILIES
from exporter.metrics.sync_jobs import FRESHNESS_FAMILIES, JOB_FAMILIES, WINDOW_FAMILIES

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from exporter.domain.objectives import ObjectiveRule
    from exporter.domain.snapshots import SourceSnapshot

SOURCE_LABELS = ("application", "data_source", "data_source_id")
_PARTS = (ABOUT_FAMILIES, SCHEDULE_FAMILIES, OBJECTIVE_FAMILIES, WINDOW_FAMILIES, JOB_FAMILIES, FRESHNESS_FAMILIES)
FAMILIES = tuple(family for part in _PARTS for family in part)


@dataclass(frozen=True, slots=True)
class SourceFamilies:
    """The families of a data source, for a `polling.window` in seconds and the configuration's `objectives`."""

    window: float
    rules: tuple[ObjectiveRule, ...] = ()

    def parts(self, snapshot: SourceSnapshot) -> tuple[object, ...]:
        """Give what each part of `FAMILIES` follows from, the moment aside."""
        description = (snapshot.source, snapshot.names, snapshot.index, snapshot.description, snapshot.location)
        jobs = (snapshot.names, snapshot.history)
        return (
            description,
            description,
            description,
            jobs,
            jobs,
            (snapshot.names, snapshot.poll_succeeded, snapshot.polled_at),
        )

    def collect(self, snapshot: SourceSnapshot, now: float, part: int) -> list[Metric]:
        """Give the samples of one source in a part of `FAMILIES`, empty families included."""
        view = SourceView(snapshot, now, self.window, self.rules)
        names = (snapshot.names.application, snapshot.names.data_source, snapshot.source.id.data_source_id)
        identity = dict(zip(SOURCE_LABELS, names, strict=True))
        return [family.collect(view, identity) for family in _PARTS[part]]

    def next_change(self, snapshot: SourceSnapshot, now: float, part: int) -> float | None:
        """Give the time on AWS's clock at which time alone changes a part: a job leaves the window, a sync is due."""
        view = SourceView(snapshot, now, self.window, self.rules)
        if _PARTS[part] is SCHEDULE_FAMILIES:
            return view.next_firing
        if _PARTS[part] is OBJECTIVE_FAMILIES:
            return view.last_firing
        if _PARTS[part] is WINDOW_FAMILIES:
            leaving = (job.started + self.window for job in view.jobs)
            return min((at for at in leaving if at > now), default=None)
        return None
