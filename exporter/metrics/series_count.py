"""How many series a data source and an index have, counted on one of each as they usually are."""

from __future__ import annotations

from exporter.domain.history import CountingPolicy, fold
from exporter.domain.model import (
    DataSource,
    Description,
    DocumentCounts,
    IndexFacts,
    IndexId,
    Location,
    Names,
    SourceId,
    SyncJob,
)
from exporter.domain.snapshots import IndexSnapshot, SourceSnapshot
from exporter.domain.source_history import PollData
from exporter.metrics.collector import SourceFamilies
from exporter.metrics.indexes import IndexFamilies

_NOW = 1_800_000_000.0
_NOWHERE = Location("", "")
_BUCKETS = (60.0, 300.0, 900.0, 1800.0, 3600.0, 10800.0, 21600.0, 43200.0, 86400.0)


def series_of_source() -> int:
    """Count the series of a source on a schedule, of which one sync has ended and one is in progress."""
    policy, figures = CountingPolicy(86400.0, _BUCKETS), DocumentCounts(0, 0, 0, 0, 0)
    running = SyncJob("a", "SYNCING", _NOW, documents=figures)
    ended = SyncJob("a", "SUCCEEDED", _NOW, _NOW + 60, figures)
    history = fold(None, PollData((running,), _NOW, _NOW), policy)
    again = SyncJob("b", "SYNCING", _NOW + 90, documents=figures)
    history = fold(history, PollData((ended, again), _NOW + 99, _NOW + 99), policy)
    description = Description("", "S3", "ACTIVE", _NOW, _NOW, "cron(0 3 * * ? *)")
    source = DataSource("", SourceId("", "", ""))
    shown = SourceSnapshot(source, Names("", ""), history, True, _NOW, "", description, _NOWHERE)  # noqa: FBT003 (a record)
    families = SourceFamilies(86400.0)
    parts = range(len(families.parts(shown)))
    return sum(len(metric.samples) for part in parts for metric in families.collect(shown, _NOW + 99, part))


def series_of_index() -> int:
    """Count the series of an index of which all is known."""
    facts = IndexFacts("", "ENTERPRISE", "ACTIVE", "", 1, 1, 1)
    shown = IndexSnapshot(IndexId("", ""), "", "", facts, _NOWHERE)
    return sum(len(metric.samples) for metric in IndexFamilies().collect(shown, _NOW, 0))
