"""The responses to scrapes: metrics are rendered when a snapshot changes, and only concatenated when they are scraped.

prometheus_client formats and escapes. This package only needs to know where one family ends and the next one starts.
"""

from exporter.exposition.cache import ExpositionCache
from exporter.exposition.exposition import Exposition
from exporter.exposition.negotiation import OPENMETRICS_TYPE

__all__ = ["OPENMETRICS_TYPE", "Exposition", "ExpositionCache"]
