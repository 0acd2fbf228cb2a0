"""The state in PostgreSQL, which any number of replicas share."""

from exporter.store.postgresql.archive import Archive
from exporter.store.postgresql.session import Session
from exporter.store.postgresql.shared_state import SharedState
from exporter.store.postgresql.url import DatabaseSettings, connection_parameters
from exporter.store.postgresql.watchdog import Watchdog

__all__ = ["Archive", "DatabaseSettings", "Session", "SharedState", "Watchdog", "connection_parameters"]
