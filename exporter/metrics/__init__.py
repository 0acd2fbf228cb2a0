"""Every metric of what is watched, as a declaration: name, type, help, labels, and a pure function of a snapshot."""

from exporter.metrics.census import series_of_index, series_of_source
from exporter.metrics.indexes import INDEX_FAMILIES, INDEX_LABELS, IndexFamilies
from exporter.metrics.source import Context
from exporter.metrics.sources import FAMILIES, SOURCE_LABELS, SourceFamilies

__all__ = [
    "FAMILIES",
    "INDEX_FAMILIES",
    "INDEX_LABELS",
    "SOURCE_LABELS",
    "Context",
    "IndexFamilies",
    "SourceFamilies",
    "series_of_index",
    "series_of_source",
]
