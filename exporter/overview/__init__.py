"""What is known now, as plain facts for people and programs: the status page and the JSON are made from the same."""

from exporter.overview.document import Overview
from exporter.overview.health import ExporterHealth, TargetHealth
from exporter.overview.manners import giving_way
from exporter.overview.query import Query, QueryError
from exporter.overview.sources import Terms
from exporter.overview.words import span

__all__ = ["ExporterHealth", "Overview", "Query", "QueryError", "TargetHealth", "Terms", "giving_way", "span"]
