"""Metrics of a data source itself: the properties that AWS reports, and its schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.label_names import tag_label
from exporter.metrics.binding import ADDED_LABELS
from exporter.metrics.families import Gauge, InfoFamily, optional_sample, state_set
from exporter.metrics.labels import added_labels
from exporter.metrics.phrases import AS_OF_DISCOVERY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.domain.source_view import SourceView
    from exporter.metrics.families import AnyFamily, Sample

_COMPUTED = "computed at scrape time. A data source that was never synced does not run on its schedule."


def _facts(view: SourceView) -> dict[str, str] | None:
    snapshot, description = view.snapshot, view.description
    if description is None or snapshot.location is None:
        return None
    return {
        **added_labels(snapshot.source.id.container, snapshot.container),
        "data_source_type": description.type,
        "aws_account_id": snapshot.location.account,
        "aws_region": snapshot.location.region,
        "schedule": (description.schedule or "").strip(),
        **{f"label_{name}": value for name, value in snapshot.source.labels},
        **{tag_label(key): value for key, value in description.tags},
    }


def _status(view: SourceView) -> Iterable[Sample]:
    statuses = view.snapshot.source.id.service.source_statuses
    return state_set(view.description.status if view.description else None, statuses)


def _schedule_valid(view: SourceView) -> Iterable[Sample]:
    return optional_sample(float(view.schedule is not None) if view.has_schedule else None)


DESCRIPTION_FAMILIES: tuple[AnyFamily, ...] = (
    InfoFamily(
        "data_source_info",
        f"Always 1; properties of the data source from {{list_sources}} and {{get_source}}, {AS_OF_DISCOVERY}. "
        "schedule is empty if syncs are on demand or {get_source} is denied.",
        _facts,
        (
            ADDED_LABELS,
            "data_source_type",
            "aws_account_id",
            "aws_region",
            "schedule",
            "label_*",
            "tag_*",
        ),
    ),
    Gauge(
        "data_source_status",
        f"Status of the data source itself, {AS_OF_DISCOVERY}: 1 for the current status, 0 for the others.",
        _status,
        ("status",),
    ),
    Gauge(
        "data_source_created_timestamp_seconds",
        f"{{created}} of the data source, {AS_OF_DISCOVERY}.",
        lambda view: optional_sample(view.description.created if view.description else None),
    ),
    Gauge(
        "data_source_updated_timestamp_seconds",
        f"{{updated}} of the data source, {AS_OF_DISCOVERY}.",
        lambda view: optional_sample(view.description.updated if view.description else None),
    ),
    Gauge(
        "data_source_schedule_valid",
        f"1 if the {{schedule}} of the data source is valid, else 0, {AS_OF_DISCOVERY}. Absent if it is synced on "
        "demand.",
        _schedule_valid,
    ),
)

SCHEDULE_FAMILIES: tuple[AnyFamily, ...] = (
    Gauge(
        "data_source_previous_scheduled_sync_timestamp_seconds",
        f"Last time at which the {{cron_schedule}} of the data source fired, {_COMPUTED} "
        "Absent if it has not fired since {updated}.",
        lambda view: optional_sample(view.previous_firing),
    ),
    Gauge(
        "data_source_next_scheduled_sync_timestamp_seconds",
        f"Next time at which the {{cron_schedule}} of the data source fires, {_COMPUTED}",
        lambda view: optional_sample(view.next_firing),
    ),
)
