"""All metric families of a data source, in parts that change together.

The exposition cache renders a part again when its inputs change, or when time changes its samples. So a poll that finds
nothing new renders only the part with the time of the poll.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from exporter.domain.service import Use
from exporter.domain.source_view import SourceView
from exporter.exposition.lines import Identity
from exporter.metrics.binding import bind, is_available
from exporter.metrics.data_source import DESCRIPTION_FAMILIES, SCHEDULE_FAMILIES
from exporter.metrics.documents import DOCUMENT_FAMILIES
from exporter.metrics.expectations import EXPECTATION_FAMILIES
from exporter.metrics.families import LabelledView, declarations
from exporter.metrics.family_filter import ALL_FAMILIES, FamilyFilter
from exporter.metrics.labels import source_label_values, source_labels
from exporter.metrics.objectives import OBJECTIVE_FAMILIES
from exporter.metrics.sync_jobs import FRESHNESS_FAMILIES, JOB_FAMILIES, WINDOW_FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client.core import Metric

    from exporter.domain.objectives import ObjectiveRule
    from exporter.domain.service import Service
    from exporter.domain.snapshots import SourceSnapshot
    from exporter.exposition.lines import FormatLines
    from exporter.metrics.families import AnyFamily, Family


@dataclass(frozen=True, slots=True)
class _Part:
    """Families with the same inputs. `next_change` returns the time at which time alone changes their samples."""

    families: tuple[AnyFamily, ...]
    inputs: Callable[[SourceSnapshot], object]
    next_change: Callable[[SourceView], float | None] = lambda _view: None
    use: Use | None = None
    """The purpose of an action without which a service has no such families."""


def _description(snapshot: SourceSnapshot) -> object:
    return (
        snapshot.source,
        snapshot.names,
        snapshot.container,
        snapshot.description,
        snapshot.location,
        snapshot.tags,
    )


def _expectation(snapshot: SourceSnapshot) -> object:
    return (_description(snapshot), snapshot.history, snapshot.objectives)


def _jobs(snapshot: SourceSnapshot) -> object:
    return (snapshot.names, snapshot.history)


def _documents(snapshot: SourceSnapshot) -> object:
    return (snapshot.names, snapshot.documents)


def _poll(snapshot: SourceSnapshot) -> object:
    return (snapshot.names, snapshot.poll_succeeded, snapshot.polled_at)


def _next_job_leaves_window(view: SourceView) -> float | None:
    times = (job.started + view.window for job in view.jobs)
    return min((time for time in times if time > view.now), default=None)


_PARTS = (
    _Part(DESCRIPTION_FAMILIES, _description),
    _Part(SCHEDULE_FAMILIES, _description, lambda view: view.next_firing),
    _Part(OBJECTIVE_FAMILIES, _description, lambda view: view.final_firing),
    _Part(EXPECTATION_FAMILIES, _expectation, lambda view: view.final_firing),
    _Part(DOCUMENT_FAMILIES, _documents, use=Use.DOCUMENTS),
    _Part(WINDOW_FAMILIES, _jobs, _next_job_leaves_window),
    _Part(JOB_FAMILIES, _jobs),
    _Part(FRESHNESS_FAMILIES, _poll),
)


@lru_cache
def _bound_parts(service: Service, exposed: FamilyFilter) -> tuple[tuple[Family, ...], ...]:
    """Return the exposed families of each part, with the names of a service."""
    parts = ([bind(family, service) for family in _families_of(part, service)] for part in _PARTS)
    return tuple(tuple(family for family in part if exposed.exposes(family.name)) for part in parts)


def _families_of(part: _Part, service: Service) -> tuple[AnyFamily, ...]:
    """Return the families of a part that the service can fill; none if it has no action that they need."""
    if part.use is not None and not service.has(part.use):
        return ()
    return tuple(family for family in part.families if is_available(family, service))


def source_families(service: Service, exposed: FamilyFilter = ALL_FAMILIES) -> tuple[Family, ...]:
    """Return the families of a service's data sources, in the order of the response."""
    return tuple(family for part in _bound_parts(service, exposed) for family in part)


@dataclass(frozen=True, slots=True)
class SourceFamilies:
    """The exposed families of a service's data sources, for a `polling.window` in seconds and configured objectives."""

    service: Service
    window: float
    rules: tuple[ObjectiveRule, ...] = ()
    filter: FamilyFilter = ALL_FAMILIES
    _parts: tuple[tuple[Family, ...], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Bind the families to the service."""
        object.__setattr__(self, "_parts", _bound_parts(self.service, self.filter))

    def part_inputs(self, snapshot: SourceSnapshot) -> tuple[object, ...]:
        """Return the inputs of each part. Until its next change, its samples change only if these do."""
        return tuple(part.inputs(snapshot) for part in _PARTS)

    def collect(self, snapshot: SourceSnapshot, now: float, part: int) -> list[Metric]:
        """Return the families of a part with the samples of one source; families without samples are included."""
        view = self.view(snapshot, now).view
        identity = dict(zip(source_labels(self.service), source_label_values(snapshot), strict=True))
        return [family.collect(view, identity) for family in self._parts[part]]

    def declared(self) -> dict[str, Metric]:
        """Return all families without samples by their names, in the order of the response."""
        return declarations(source_families(self.service, self.filter))

    def view(self, snapshot: SourceSnapshot, now: float) -> LabelledView[SourceView]:
        """Return a snapshot at a time on AWS's clock, for all of its parts."""
        view = SourceView(snapshot, now, self.window, self.rules)
        return LabelledView(view, Identity(source_labels(self.service), source_label_values(snapshot)))

    def lines(self, view: LabelledView[SourceView], part: int) -> dict[str, FormatLines]:
        """Return the lines of all families of a part, by the names of `declared`."""
        source, identity = view
        return {family.name: family.lines(source, identity) for family in self._parts[part]}

    def next_change(self, view: LabelledView[SourceView], part: int) -> float | None:
        """Return when a sample of a part changes by time alone, on AWS's clock; None if it never does."""
        return _PARTS[part].next_change(view.view) if self._parts[part] else None
