"""One connection to the database, which is reopened after an error; for one thread."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import IsolationLevel

from exporter.store.postgresql.connector import Connector
from exporter.store.postgresql.errors import translate
from exporter.store.postgresql.url import connection_parameters
from exporter.store.postgresql.watchdog import shut_down

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from exporter.store.postgresql.url import DatabaseSettings, PasswordSource
    from exporter.store.postgresql.watchdog import Watchdog

T = TypeVar("T")

# The settings are local to the transaction, because with a pooler, each transaction may use another session. An open
# transaction would block the replica that takes over a target.
_LIMITS = """
SELECT set_config('statement_timeout', '5s', true), set_config('lock_timeout', %s, true),
       set_config('idle_in_transaction_session_timeout', '5s', true), set_config('synchronous_commit', 'on', true)
"""


class Transaction:
    """A transaction in progress. Each statement has a deadline on the client side."""

    def __init__(self, cursor: psycopg.Cursor[Any], watchdog: Watchdog) -> None:
        self._cursor = cursor
        self._watchdog = watchdog

    def execute(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement, and return its rows."""
        with self._watchdog.watch(self._cursor.connection.fileno()):
            self._cursor.execute(sql, parameters)
            return self._cursor.fetchall() if self._cursor.description else []


class Session:
    """Runs transactions. Each of them may reopen the connection."""

    def __init__(self, settings: DatabaseSettings, watchdog: Watchdog, token: PasswordSource) -> None:
        self._settings = settings
        self._watchdog = watchdog
        self._token = token
        self._connector = Connector(watchdog.host, self._open)
        self._connection: psycopg.Connection[Any] | None = None
        self.has_failed = False
        """Whether the last transaction failed. Other threads may read it."""
        self.lock_timeout = "2s"
        """How long a statement waits for rows that another session has locked."""
        self.isolation_level = IsolationLevel.READ_COMMITTED
        """The protocol of replicas needs READ COMMITTED, even if the default of the database is another level.

        Example: a beat waits for a take-over in progress, and must then read the new owner.
        """

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Yield a transaction, which is committed at the end of the block.

        Raise RefusedError or UnavailableError if it was not committed, or if this is unknown.
        """
        try:
            connection = self._connect()
            connection.isolation_level = self.isolation_level
            with connection.cursor() as cursor:
                transaction = Transaction(cursor, self._watchdog)
                transaction.execute(_LIMITS, [self.lock_timeout])
                yield transaction
                with self._watchdog.watch(connection.fileno()):
                    connection.commit()
        except psycopg.Error as error:
            self._fail()
            raise translate(self._settings.address, error) from error
        except BaseException:
            self._fail()
            raise
        self.has_failed = False

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Run a function in a transaction, and return its result."""
        with self.transaction() as transaction:
            return work(transaction)

    @property
    def server_version(self) -> int:
        """The version of the server, such as 150004; 0 without a connection."""
        return self._connection.info.server_version if self._connection else 0

    @property
    def address(self) -> str:
        """The URL of the database without password and parameters, for readers."""
        return self._settings.address

    def close(self) -> None:
        """Close the connection; the next transaction opens another one."""
        connection, self._connection = self._connection, None
        if connection:
            with suppress(psycopg.Error, OSError):
                shut_down(connection.fileno())
            with suppress(psycopg.Error):
                connection.close()

    def hurry(self) -> None:
        """Wait less for a connection from now on, because the program stops."""
        self._connector.hurry()

    def _fail(self) -> None:
        self.has_failed = True
        self.close()

    def end(self) -> None:
        """End the thread that watches the statements, and an attempt to connect. No transaction may follow."""
        self._watchdog.stop()
        self._connector.abandon()

    def _connect(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = self._connector.connect()
        return self._connection

    def _open(self) -> psycopg.Connection[Any]:
        return psycopg.connect(**connection_parameters(self._settings, self._token), prepare_threshold=None)
