"""The two kinds of stores, for tests of what both must do."""

from __future__ import annotations

import uuid
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Protocol

from exporter.domain.replicas import Replica
from exporter.runtime import System
from exporter.store import Store
from exporter.store.postgresql import DatabaseSettings, Session, SharedState, Watchdog
from tests.support.harness import eventually
from tests.support.state_files import full_disk
from tests.support.stepped_replica import target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from exporter.store.table_store import TableStore
    from tests.support.postgresql import PostgreSqlServer


class Backend(Protocol):
    """A place for the state of one exporter."""

    failures: int
    """How many writes have failed."""

    def opened(self) -> AbstractContextManager[TableStore]:
        """Open the state as a start does, and close it as a stop does."""

    def outage(self) -> AbstractContextManager[None]:
        """Fail every write during the block."""


class SqliteBackend:
    """A state file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.failures = 0

    @contextmanager
    def opened(self) -> Iterator[TableStore]:
        """Open the file."""
        with closing(Store(self.path, self._count)) as store:
            yield store

    def outage(self) -> AbstractContextManager[None]:
        """Fill the disk."""
        return full_disk()

    def _count(self) -> None:
        self.failures += 1


class PostgreSqlBackend:
    """A database with one target, which one replica owns."""

    def __init__(self, server: PostgreSqlServer) -> None:
        self._server = server
        self.url = server.create_database()
        self.failures = 0

    @contextmanager
    def opened(self) -> Iterator[TableStore]:
        """Start a replica, and wait until it owns the target."""
        host = System()
        session = Session(DatabaseSettings(self.url), Watchdog(host), lambda _: "")
        state = SharedState(session, Replica(uuid.uuid4().hex, "test"), host, on_write_failure=self._count)
        targets = [target(1)]
        state.configure(targets)
        state.start(lambda: None)
        try:
            eventually(lambda: state.owned(targets))
            store = state.owned(targets)["t1"]
            yield store
            eventually(lambda: not store.has_unwritten())  # a stop waits only for seconds, even on a busy machine
        finally:
            state.close()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Refuse all connections to the database during the block."""
        self._server.close_database(self.url)
        try:
            yield
        finally:
            self._server.open_database(self.url)

    def _count(self) -> None:
        self.failures += 1
