"""The state of the exporter, which survives a restart: a SQLite file, or a PostgreSQL database."""

from exporter.store.sqlite import Store
from exporter.store.sqlite_file import MEMORY

__all__ = ["MEMORY", "Store"]
