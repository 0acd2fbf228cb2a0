"""What alerts hold a data source to, as series: rules compare with them, so that nobody edits an expression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.metrics.families import Gauge, optional_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.domain.source_view import SourceView
    from exporter.metrics.families import Family, Sample

_NAME = "qbusiness_data_source_objective"
_FROM = "from the first of the configuration's objectives that matches, else"


def _value(name: str) -> Callable[[SourceView], Iterator[Sample]]:
    return lambda view: optional_sample(getattr(view.objectives, name))


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
