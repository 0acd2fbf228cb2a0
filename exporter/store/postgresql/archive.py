"""All rows of a database at once, for commands that run next to the replicas."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from psycopg import IsolationLevel

from exporter.domain.replicas import TargetRow
from exporter.errors import StartupError
from exporter.store import codec
from exporter.store.postgresql import leases
from exporter.store.postgresql.errors import UnavailableError
from exporter.store.postgresql.rows import read_state, write_changes
from exporter.store.postgresql.schema import has_tables, prepare
from exporter.store.postgresql.session import Session
from exporter.store.postgresql.watchdog import Watchdog
from exporter.store.row_changes import RowChanges
from exporter.store.state_rows import accounts_of, merge_targets, split_by_target
from exporter.store.state_tables import StateChanges, StateTables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.runtime import Host
    from exporter.store.postgresql.session import Transaction
    from exporter.store.postgresql.url import DatabaseSettings, PasswordSource
    from exporter.store.state_rows import StateRows


class Archive:
    """The whole state in a database. It is read and written in one transaction.

    Rows are parsed outside the transaction, because the server ends a transaction that is idle for seconds.
    """

    def __init__(self, settings: DatabaseSettings, token: PasswordSource, host: Host) -> None:
        self._settings = settings
        self._token = token
        self._host = host
        self.address = settings.address

    def read(self, *, must_be_unused: bool = False) -> StateRows | None:
        """Return the rows of all targets; None if the database has no tables yet, which are not created.

        Raise StartupError if the rows of a target are not valid. With `must_be_unused`, also raise it if a replica is
        alive.
        """
        # Replicas may commit meanwhile, and the rows of all tables must be of the same time. The lock ensures this too,
        # but a snapshot would be older than the lock.
        level = IsolationLevel.READ_COMMITTED if must_be_unused else IsolationLevel.REPEATABLE_READ
        with self._connect() as session:
            if not session.run(has_tables):
                return None
            session.isolation_level = level
            with session.transaction() as transaction:
                if must_be_unused:
                    self._check_unused(transaction)
                keys = [key for (key,) in transaction.execute("SELECT key FROM target ORDER BY key")]
                targets = {key: read_state(transaction, key) for key in keys}
        for key, rows in targets.items():
            self._check_valid(key, rows)
        return merge_targets(targets.values())

    def write(self, rows: StateRows) -> None:
        """Write a whole state; raise StartupError if the database already has one, or if a replica is alive."""
        accounts, targets = accounts_of(rows), split_by_target(rows)
        with self._connect() as session:
            prepare(session)
            with session.transaction() as transaction:
                self._check_unused(transaction)
                if transaction.execute("SELECT 1 FROM source LIMIT 1"):
                    problem = "is not empty: state can be copied into an empty one only"
                    raise StartupError(f"database {self.address} {problem}")
                for name, account in accounts.items():
                    leases.save_account(transaction, name, account)
                for key, of_target in targets.items():
                    leases.own(transaction, TargetRow(key, None, 1, 0), 0)
                    changes = [RowChanges(table, found) for table, found in of_target.items()]
                    write_changes(transaction, key, StateChanges(replaces_all=True, rows=changes, pending=()))

    @contextmanager
    def _connect(self) -> Iterator[Session]:
        """Yield a session, and end it; raise StartupError if the database cannot be reached."""
        session = Session(self._settings, Watchdog(self._host), self._token)
        try:
            yield session
        except UnavailableError as error:
            raise StartupError(f"database {self.address} cannot be reached: {error}") from error
        finally:
            session.close()
            session.end()

    def _check_unused(self, transaction: Transaction) -> None:
        """Raise StartupError if a replica is alive. No replica can start before the end of the transaction."""
        transaction.execute("LOCK TABLE replica, target IN EXCLUSIVE MODE")
        if leases.read_members(transaction).replicas:
            raise StartupError(f"database {self.address} is in use by an exporter: stop all replicas first")

    def _check_valid(self, key: str, rows: StateRows) -> None:
        try:
            StateTables().load(rows.__getitem__)
        except codec.UNREADABLE as error:
            raise StartupError(
                f"the state of target {key} in database {self.address} cannot be read ({error}): "
                "repair or delete its rows"
            ) from error
