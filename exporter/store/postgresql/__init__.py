"""The state in PostgreSQL, which any number of replicas share."""

from exporter.store.postgresql.archive import Archive
from exporter.store.postgresql.shared_state import ReplicaName, SharedState
from exporter.store.postgresql.url import DatabaseSettings

__all__ = ["Archive", "DatabaseSettings", "ReplicaName", "SharedState"]
