"""Metrics of a data source's objectives. Alert rules compare values with these series instead of constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.metrics.families import Gauge, optional_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.domain.source_view import SourceView
    from exporter.metrics.families import AnyFamily, Sample

_NAME = "data_source_objective"
_FROM = "From the first configured objective that matches, else"


def _value(name: str) -> Callable[[SourceView], Iterable[Sample]]:
    return lambda view: optional_sample(getattr(view.objectives, name))


OBJECTIVE_FAMILIES: tuple[AnyFamily, ...] = (
    Gauge(
        f"{_NAME}_max_success_age_seconds",
        f"Longest allowed time since a successful sync. {_FROM} twice the longest gap of the schedule or "
        "expected_every, whichever is shorter, plus 1h. Absent without any of them.",
        _value("max_success_age"),
    ),
    Gauge(
        f"{_NAME}_max_duration_seconds",
        f"Longest allowed duration of a sync. {_FROM} 1d.",
        _value("max_duration"),
    ),
    Gauge(
        f"{_NAME}_max_failed_ratio",
        f"Largest allowed ratio of failed documents to scanned ones, or to processed ones if the API does not report "
        f"scanned ones. {_FROM} 0.05.",
        _value("max_failed_ratio"),
    ),
    Gauge(
        f"{_NAME}_min_documents_scanned",
        f"Minimum number of documents that a successful sync scans. {_FROM} 1.",
        _value("min_documents_scanned"),
    ),
)
