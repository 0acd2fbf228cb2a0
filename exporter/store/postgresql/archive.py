"""All rows of a database at once, for commands that run next to the replicas."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from exporter.domain.replicas import TargetRow
from exporter.errors import StartupError
from exporter.store import codec
from exporter.store.postgresql import leases
from exporter.store.postgresql.errors import UnavailableError
from exporter.store.postgresql.rows import read_state, write_changes
from exporter.store.postgresql.schema import prepare
from exporter.store.postgresql.session import Session
from exporter.store.postgresql.watchdog import Watchdog
from exporter.store.row_changes import RowChanges
from exporter.store.state_rows import accounts_of, merge_targets, split_by_target
from exporter.store.state_tables import StateChanges, StateTables

if TYPE_CHECKING:
    from exporter.runtime import Host
    from exporter.store.postgresql.session import Transaction
    from exporter.store.postgresql.url import DatabaseSettings, PasswordSource
    from exporter.store.state_rows import StateRows


class Archive:
    """One transaction on a database; a context manager that commits it unless an exception ends the block."""

    def __init__(self, settings: DatabaseSettings, token: PasswordSource, host: Host) -> None:
        self._session = Session(settings, Watchdog(host), token)
        self.address = self._session.address
        self._open = ExitStack()
        self._transaction: Transaction

    def __enter__(self) -> Self:
        """Connect; raise StartupError if that is not possible."""
        self._open.callback(self._session.end)
        self._open.callback(self._session.close)
        try:
            prepare(self._session)
            self._transaction = self._open.enter_context(self._session.transaction())
        except UnavailableError as error:
            self._open.close()
            raise StartupError(f"database {self.address} cannot be reached: {error}") from error
        return self

    def __exit__(self, *exception: object) -> None:
        """Commit, and disconnect."""
        self._open.__exit__(*exception)  # type: ignore[arg-type]

    def read(self) -> StateRows:
        """Return the rows of all targets; raise StartupError if those of a target are not valid."""
        keys = [key for (key,) in self._transaction.execute("SELECT key FROM target ORDER BY key")]
        return merge_targets([self._read_target(key) for key in keys])

    def _read_target(self, key: str) -> StateRows:
        rows = read_state(self._transaction, key)
        try:
            StateTables().load(rows.__getitem__)
        except codec.UNREADABLE as error:
            raise StartupError(
                f"the state of target {key} in database {self.address} cannot be read ({error}): "
                "repair or delete its rows"
            ) from error
        return rows

    def check_unused(self) -> None:
        """Raise StartupError if a replica is alive; none can start before the end of the block."""
        self._transaction.execute("LOCK TABLE replica, target IN EXCLUSIVE MODE")
        if leases.read_members(self._transaction).replicas:
            raise StartupError(f"database {self.address} is in use by an exporter: stop all replicas first")

    def write(self, rows: StateRows) -> None:
        """Write a whole state; raise StartupError if the database has one already."""
        if self._transaction.execute("SELECT 1 FROM source LIMIT 1"):
            raise StartupError(f"database {self.address} is not empty: state can be copied into an empty one only")
        for name, account in accounts_of(rows).items():
            leases.save_account(self._transaction, name, account)
        for key, of_target in split_by_target(rows).items():
            leases.own(self._transaction, TargetRow(key, None, 1, 0), 0)
            changes = [RowChanges(table, found) for table, found in of_target.items()]
            write_changes(self._transaction, key, StateChanges(replaces_all=True, rows=changes, pending=()))
