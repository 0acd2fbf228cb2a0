"""The metrics of a data source itself: what AWS says of it, and when it is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.model import DataSourceStatus, tag_label
from exporter.metrics.families import Gauge, Info, optional_sample, state_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.source_view import SourceView
    from exporter.metrics.families import Family, Sample

_NEVER_SYNCED = "one that was never synced does not run on it"


def _facts(view: SourceView) -> dict[str, str] | None:
    snapshot, description = view.snapshot, view.description
    if description is None or snapshot.location is None:
        return None
    return {
        "application_id": snapshot.source.id.application_id,
        "index": snapshot.index,
        "index_id": snapshot.source.id.index_id,
        "data_source_type": description.type,
        "aws_account_id": snapshot.location.account,
        "aws_region": snapshot.location.region,
        "schedule": (description.schedule or "").strip(),
        **{f"label_{name}": value for name, value in snapshot.source.labels},
        **{tag_label(key): value for key, value in description.tags},
    }


def _schedule_valid(view: SourceView) -> Iterator[Sample]:
    return optional_sample(float(view.schedule is not None) if view.on_schedule else None)


ABOUT_FAMILIES: tuple[Family, ...] = (
    Info(
        "qbusiness_data_source_info",
        "Always 1; what ListDataSources and GetDataSource say of the data source as of the last discovery. schedule is "
        "empty where syncs are on demand, or where GetDataSource is refused.",
        _facts,
        (
            "application_id",
            "index",
            "index_id",
            "data_source_type",
            "aws_account_id",
            "aws_region",
            "schedule",
            "label_*",
            "tag_*",
        ),
    ),
    Gauge(
        "qbusiness_data_source_status",
        "1 for the current status of the data source itself, as of the last discovery; 0 for the others.",
        lambda view: state_set(view.description.status if view.description else None, DataSourceStatus),
        ("status",),
    ),
    Gauge(
        "qbusiness_data_source_created_timestamp_seconds",
        "createdAt of the data source, as of the last discovery.",
        lambda view: optional_sample(view.description.created if view.description else None),
    ),
    Gauge(
        "qbusiness_data_source_schedule_valid",
        "1 when the data source's syncSchedule is understood, 0 when it is not; absent when it is synced on demand.",
        _schedule_valid,
    ),
)

SCHEDULE_FAMILIES: tuple[Family, ...] = (
    Gauge(
        "qbusiness_data_source_previous_scheduled_sync_timestamp_seconds",
        f"When the data source's syncSchedule last fired, computed for the moment of the scrape; {_NEVER_SYNCED}.",
        lambda view: optional_sample(view.schedule.previous(view.now) if view.schedule else None),
    ),
    Gauge(
        "qbusiness_data_source_next_scheduled_sync_timestamp_seconds",
        f"When the data source's syncSchedule fires next, computed for the moment of the scrape; {_NEVER_SYNCED}.",
        lambda view: optional_sample(view.next_firing),
    ),
)
