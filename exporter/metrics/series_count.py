"""The number of series per data source and per index, counted for a typical one of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.counting.counting_policy import DEFAULT_BUCKETS, CountingPolicy
from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData
from exporter.domain.documents import DocumentTally
from exporter.domain.model import (
    ContainerFacts,
    ContainerId,
    DataSource,
    Description,
    DocumentCounts,
    Location,
    Names,
    SourceId,
    SyncJob,
)
from exporter.domain.snapshots import ContainerSnapshot, SourceSnapshot
from exporter.domain.units import DAY
from exporter.metrics.collector import SourceFamilies
from exporter.metrics.family_filter import exposed_name
from exporter.metrics.indexes import ContainerFamilies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric

    from exporter.domain.service import Service

_NOW = 1_800_000_000.0
_LOCATION = Location("", "")


def series_per_source(service: Service, *, counts_documents: bool) -> dict[str, int]:
    """Return the number of series by family of a scheduled source with one ended sync and one in progress."""
    policy, counts = CountingPolicy(DAY, DEFAULT_BUCKETS, service.error_codes), DocumentCounts(0, 0, 0, 0, 0)
    running = SyncJob("a", "SYNCING", _NOW, documents=counts)
    ended = SyncJob("a", "SUCCEEDED", _NOW, _NOW + 60, counts)
    history = fold(None, PollData((running,), _NOW, _NOW), policy)
    next_job = SyncJob("b", "SYNCING", _NOW + 90, documents=counts)
    history = fold(history, PollData((ended, next_job), _NOW + 99, _NOW + 99), policy)
    description = Description("", "S3", "ACTIVE", _NOW, _NOW, "cron(0 3 * * ? *)")
    source = DataSource("", SourceId(service, ("",) * len(service.levels)))
    names = Names("", "")
    snapshot = SourceSnapshot(
        source,
        names,
        history,
        poll_succeeded=True,
        polled_at=_NOW,
        description=description,
        location=_LOCATION,
        documents=DocumentTally(service.document_statuses).result(_NOW) if counts_documents else None,
    )
    families = SourceFamilies(service, DAY)
    parts = range(len(families.part_inputs(snapshot)))
    return _count_series(metric for part in parts for metric in families.collect(snapshot, _NOW + 99, part))


def series_per_container(service: Service) -> dict[str, int]:
    """Return the number of series by family of a container whose properties AWS reports in full."""
    facts = ContainerFacts("", "ENTERPRISE", "ACTIVE", "", 1, 1, 1, 1, 1)
    snapshot = ContainerSnapshot(ContainerId(service, ("",) * len(service.containers)), "", "", facts, _LOCATION, _NOW)
    return _count_series(ContainerFamilies(service).collect(snapshot))


def _count_series(metrics: Iterable[Metric]) -> dict[str, int]:
    return {exposed_name(metric): len(metric.samples) for metric in metrics}
