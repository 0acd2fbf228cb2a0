"""The responses to scrapes. Metrics are rendered when a snapshot changes, and a scrape only concatenates them.

prometheus_client renders the headers of families and the metrics of the exporter itself. `lines` renders all other
samples.
"""

from exporter.exposition.cache import ExpositionCache
from exporter.exposition.exposition import Exposition
from exporter.exposition.negotiation import OPENMETRICS_TYPE

__all__ = ["OPENMETRICS_TYPE", "Exposition", "ExpositionCache"]
