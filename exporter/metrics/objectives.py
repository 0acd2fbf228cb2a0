"""What alerts hold a data source to, as series: rules compare with them, so that nobody edits an expression."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from exporter.config import DEFAULT_OBJECTIVE
from exporter.metrics.families import Gauge, optional_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.config import ObjectiveMatch
    from exporter.domain.model import SourceSnapshot
    from exporter.domain.source_view import SourceView
    from exporter.metrics.families import Family, Sample

_GRACE = 3600.0  # seconds beyond two gaps of the schedule: one missed firing, and the sync's own duration, are forgiven
_NAME = "qbusiness_data_source_objective"
_FROM = "from the first of the configuration's objectives that matches, else"


@dataclass(frozen=True, slots=True)
class Objectives:
    """What one data source is held to; an age in seconds where there is one."""

    max_success_age: float | None
    max_duration: float
    max_failed_ratio: float
    min_documents_scanned: float


def objectives_of(view: SourceView) -> Objectives:
    """Give all that a data source is held to: its series, and the status page, say the same."""
    first = next((each for each in view.objectives if _matches(each.match, view.snapshot)), DEFAULT_OBJECTIVE)

    def given(name: str) -> float:
        value: float | None = getattr(first, name)
        standing: float = getattr(DEFAULT_OBJECTIVE, name)
        return standing if value is None else value

    return Objectives(
        first.max_success_age or _by_schedule(view),
        given("max_duration"),
        given("max_failed_ratio"),
        given("min_documents_scanned"),
    )


def _matches(match: ObjectiveMatch, snapshot: SourceSnapshot) -> bool:
    """Tell whether all that is given matches; a type that AWS has not said yet is empty."""
    globs = (
        (match.application, snapshot.names.application),
        (match.data_source, snapshot.names.data_source),
        (match.type, snapshot.description.type if snapshot.description else ""),
    )
    labels = dict(snapshot.source.labels)
    return all(glob is None or fnmatchcase(text, glob) for glob, text in globs) and all(
        name in labels and fnmatchcase(labels[name], glob) for name, glob in match.labels.items()
    )


def _value(name: str) -> Callable[[SourceView], Iterator[Sample]]:
    return lambda view: optional_sample(getattr(view.held_to, name))


def _by_schedule(view: SourceView) -> float | None:
    """Give the age that follows from the schedule; none where it fires no more, for then nothing is expected of it."""
    if view.schedule is None or view.next_firing is None:
        return None
    gap = view.schedule.longest_gap()
    return None if gap is None else 2 * gap + _GRACE


OBJECTIVE_FAMILIES: tuple[Family, ...] = (
    Gauge(
        f"{_NAME}_max_success_age_seconds",
        f"Longest time since a successful sync, {_FROM} twice the longest gap of the schedule plus 1h; absent where "
        "there is neither.",
        _value("max_success_age"),
    ),
    Gauge(
        f"{_NAME}_max_duration_seconds",
        f"Longest time that a sync may take, {_FROM} 1d.",
        _value("max_duration"),
    ),
    Gauge(
        f"{_NAME}_max_failed_ratio",
        f"Largest share of failed documents among scanned (or touched) ones, {_FROM} 0.05.",
        _value("max_failed_ratio"),
    ),
    Gauge(
        f"{_NAME}_min_documents_scanned",
        f"A successful sync that scanned fewer documents is suspicious, {_FROM} 1.",
        _value("min_documents_scanned"),
    ),
)
