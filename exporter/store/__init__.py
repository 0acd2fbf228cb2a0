"""Where the state is kept: a SQLite file that survives the process."""

from exporter.store.sqlite import Store
from exporter.store.sqlite_file import MEMORY

__all__ = ["MEMORY", "Store"]
