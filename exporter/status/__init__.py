"""The state of data sources, indexes and the exporter as plain data, for the status page and the JSON API."""

from exporter.status.cooperative import ScrapePriority
from exporter.status.data_sources import AssessmentSettings
from exporter.status.document import StatusDocument
from exporter.status.formatting import format_duration
from exporter.status.health import ExporterHealth, TargetHealth
from exporter.status.query import Query, QueryError

__all__ = [
    "AssessmentSettings",
    "ExporterHealth",
    "Query",
    "QueryError",
    "ScrapePriority",
    "StatusDocument",
    "TargetHealth",
    "format_duration",
]
