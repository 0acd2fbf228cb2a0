"""All metrics of data sources and indexes, as declarations: each is a pure function of a snapshot and the time."""

from exporter.domain.source_view import SourceView
from exporter.metrics.collector import FAMILIES, SOURCE_LABELS, SourceFamilies
from exporter.metrics.indexes import CONTAINER_FAMILIES, INDEX_LABELS, ContainerFamilies
from exporter.metrics.series_count import series_per_container, series_per_source

__all__ = [
    "CONTAINER_FAMILIES",
    "FAMILIES",
    "INDEX_LABELS",
    "SOURCE_LABELS",
    "ContainerFamilies",
    "SourceFamilies",
    "SourceView",
    "series_per_container",
    "series_per_source",
]
