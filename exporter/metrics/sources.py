"""All the metrics of a data source, and when time alone changes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.metrics.about import ABOUT_FAMILIES
from exporter.metrics.jobs import FRESHNESS_FAMILIES, JOB_FAMILIES
from exporter.metrics.source import Context

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from exporter.model import SourceSnapshot

SOURCE_LABELS = ("application", "data_source", "data_source_id")
_PARTS = (ABOUT_FAMILIES, JOB_FAMILIES, FRESHNESS_FAMILIES)
FAMILIES = tuple(family for part in _PARTS for family in part)


@dataclass(frozen=True, slots=True)
class SourceFamilies:
    """The families of a data source, for a `polling.window` in seconds."""

    window: float

    def parts(self, snapshot: SourceSnapshot) -> tuple[object, ...]:
        """Give what each part of `FAMILIES` follows from, the moment aside."""
        about = (snapshot.source, snapshot.names, snapshot.index, snapshot.about, snapshot.location)
        return about, (snapshot.names, snapshot.history), (snapshot.names, snapshot.poll_succeeded, snapshot.polled_at)

    def collect(self, snapshot: SourceSnapshot, now: float, part: int) -> list[Metric]:
        """Give the samples of one source in a part of `FAMILIES`, empty families included."""
        context = Context(snapshot, now, self.window)
        names = (snapshot.names.application, snapshot.names.data_source, snapshot.source.id.data_source_id)
        identity = dict(zip(SOURCE_LABELS, names, strict=True))
        return [family.collect(context, identity) for family in _PARTS[part]]

    def next_change(self, snapshot: SourceSnapshot, now: float) -> float | None:
        """Give the time on AWS's clock at which time alone changes a figure: a job leaves the window, a sync is due."""
        context = Context(snapshot, now, self.window)
        leaving = (job.started + self.window for job in context.jobs)
        coming = [at for at in leaving if at > now]
        if context.next_firing is not None:
            coming.append(context.next_firing)
        return min(coming, default=None)
