"""Every metric of what is watched, as a declaration: name, type, help, labels, and a pure function of a snapshot."""

from exporter.domain.source_view import SourceView
from exporter.metrics.collector import FAMILIES, SOURCE_LABELS, SourceFamilies
from exporter.metrics.indexes import INDEX_FAMILIES, INDEX_LABELS, IndexFamilies
from exporter.metrics.series_count import series_of_index, series_of_source

__all__ = [
    "FAMILIES",
    "INDEX_FAMILIES",
    "INDEX_LABELS",
    "SOURCE_LABELS",
    "IndexFamilies",
    "SourceFamilies",
    "SourceView",
    "series_of_index",
    "series_of_source",
]
