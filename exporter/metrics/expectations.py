"""Metrics of the expectations of a data source, and since when they exist. Alert rules ignore earlier times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.metrics.families import Gauge, optional_sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.source_view import SourceView
    from exporter.metrics.families import AnyFamily, Sample


def _starts(view: SourceView) -> Iterator[Sample]:
    for name, since in sorted(view.expectation_starts.items()):
        yield (name,), since


EXPECTATION_FAMILIES: tuple[AnyFamily, ...] = (
    Gauge(
        "data_source_expected_sync_gap_seconds",
        "Longest expected time between two syncs: the longest gap of the schedule or expected_every, whichever is "
        "shorter. Without both, three times the longest gap between the last ten syncs, and at least 1d. Absent if no "
        "sync is expected.",
        lambda view: optional_sample(view.expected_gap.seconds if view.expected_gap else None),
    ),
    Gauge(
        "data_source_expectation_start_timestamp_seconds",
        "When an expectation took effect: a schedule, or an objective that a reload has set or made stricter. Alerts "
        "do not apply it to earlier times. Absent if it has always been in effect.",
        _starts,
        ("expectation",),
    ),
)
