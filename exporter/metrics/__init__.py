"""All metrics of data sources and containers. Each is a pure function of a snapshot and the time."""

from exporter.domain.source_view import SourceView
from exporter.metrics.collector import SourceFamilies, source_families
from exporter.metrics.family_filter import FamilyFilter, FilteredRegistry, exposed_name
from exporter.metrics.indexes import ContainerFamilies, container_families
from exporter.metrics.labels import container_labels, source_labels
from exporter.metrics.series_count import series_per_container, series_per_source

__all__ = [
    "ContainerFamilies",
    "FamilyFilter",
    "FilteredRegistry",
    "SourceFamilies",
    "SourceView",
    "container_families",
    "container_labels",
    "exposed_name",
    "series_per_container",
    "series_per_source",
    "source_families",
    "source_labels",
]
