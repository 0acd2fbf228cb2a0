"""All rows of a database at once, for commands that run next to the replicas."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from exporter.errors import StartupError
from exporter.store.postgresql.errors import UnavailableError
from exporter.store.postgresql.rows import read_all_rows
from exporter.store.postgresql.schema import prepare
from exporter.store.postgresql.session import Session
from exporter.store.postgresql.watchdog import Watchdog

if TYPE_CHECKING:
    from exporter.runtime import Host
    from exporter.store.postgresql.session import Transaction
    from exporter.store.postgresql.url import DatabaseSettings, PasswordSource
    from exporter.store.row_changes import Row


class Archive:
    """One transaction on a database; a context manager that commits it unless an exception ends the block."""

    def __init__(self, settings: DatabaseSettings, token: PasswordSource, host: Host) -> None:
        self._address = settings.address
        self._watchdog = Watchdog(host)
        self._session = Session(settings, self._watchdog, token)
        self._open = ExitStack()
        self._transaction: Transaction

    def __enter__(self) -> Self:
        """Connect; raise StartupError if that is not possible."""
        self._open.callback(self._watchdog.stop)
        self._open.callback(self._session.close)
        try:
            prepare(self._session)
            self._transaction = self._open.enter_context(self._session.transaction())
        except UnavailableError as error:
            self._open.close()
            raise StartupError(f"database {self._address} cannot be reached: {error}") from error
        return self

    def __exit__(self, *exception: object) -> None:
        """Commit, and disconnect."""
        self._open.__exit__(*exception)  # type: ignore[arg-type]

    def read(self, table: str) -> list[Row]:
        """Return the rows of all targets in a table of the state."""
        return read_all_rows(self._transaction, table)
