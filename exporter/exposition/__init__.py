"""What a scrape is answered with: bytes rendered when something changes, and joined when asked for.

prometheus_client does the formatting and escaping; this package only knows where one family ends and the next begins.
"""

from exporter.exposition.cache import ExpositionCache
from exporter.exposition.exposition import Exposition

__all__ = ["Exposition", "ExpositionCache"]
