"""What is known now, as plain facts for people and programs: the status page and the JSON are made from the same."""

from exporter.status.cooperative import giving_way
from exporter.status.data_sources import Terms
from exporter.status.document import Overview
from exporter.status.formatting import span
from exporter.status.health import ExporterHealth, TargetHealth
from exporter.status.query import Query, QueryError

__all__ = ["ExporterHealth", "Overview", "Query", "QueryError", "TargetHealth", "Terms", "giving_way", "span"]
