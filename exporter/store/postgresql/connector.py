"""Opens connections in a thread, because some of what this needs has no timeout."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg

from exporter.store.postgresql.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.runtime import Condition, Host

    Connection = psycopg.Connection[Any]

CONNECT_DEADLINE = 4.2  # seconds; an attempt that psycopg ends itself has ended by then, with a better message
HURRIED_DEADLINE = 1.0  # seconds for each attempt while the program stops


class Connector:
    """Opens a connection, or raises UnavailableError in time.

    psycopg resolves the name of the host before its timeout begins. With a DNS server that does not respond, this takes
    up to a minute. Other steps without a timeout are files on a network, and credentials for an IAM token. Without this
    deadline, a start would not listen, and polls would wait for their commits. An attempt that takes longer continues,
    and the next call waits for the same one.

    While the program stops, there is no time for this. Example: the first packet of the attempt was lost because the
    database was restarting. Another attempt a second later succeeds, and the last counts are written.
    """

    def __init__(self, host: Host, open_connection: Callable[[], Connection]) -> None:
        self._host = host
        self._open = open_connection
        self._changed = host.condition()
        self._attempt: _ConnectionAttempt | None = None
        self._is_hurried = False

    def connect(self) -> Connection:
        """Return an open connection, or raise the error of the attempt."""
        with self._changed:
            attempt = self._attempt = self._attempt or _ConnectionAttempt(self._host, self._changed, self._open)
            self._wait(attempt)
            if attempt.has_ended or self._is_hurried:
                self._attempt = None
            if not attempt.has_ended:
                if self._is_hurried:
                    attempt.abandon()
                raise UnavailableError(
                    f"no connection within {self._deadline():g} s: "
                    "the DNS server, the source of the password or the database does not respond"
                )
        return attempt.result()

    def hurry(self) -> None:
        """Limit each attempt to a second from now on, the current one included."""
        with self._changed:
            self._is_hurried = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Close the connection of an attempt in progress as soon as it is open."""
        with self._changed:
            if self._attempt:
                self._attempt.abandon()

    def _wait(self, attempt: _ConnectionAttempt) -> None:
        began = self._host.monotonic()
        while not attempt.has_ended:
            remaining = began + self._deadline() - self._host.monotonic()
            if remaining <= 0:
                return
            self._changed.wait(remaining)

    def _deadline(self) -> float:
        return HURRIED_DEADLINE if self._is_hurried else CONNECT_DEADLINE


class _ConnectionAttempt:
    """One attempt to connect, in its own thread. The condition variable protects its attributes."""

    def __init__(self, host: Host, changed: Condition, open_connection: Callable[[], Connection]) -> None:
        self._open = open_connection
        self._changed = changed
        self._is_abandoned = False
        self._connection: Connection | None = None
        self._error: Exception | None = None
        self.has_ended = False
        host.thread("state-connect", self._run).start()

    def result(self) -> Connection:
        """Return the connection after the end; raise the error of the attempt."""
        if self._connection is None:
            raise self._error or UnavailableError("the connection was not opened")
        return self._connection

    def abandon(self) -> None:
        """Close the connection, now or as soon as it is open."""
        self._is_abandoned = True
        self._close()

    def _run(self) -> None:
        connection, failure = None, None
        try:
            connection = self._open()
        except Exception as error:  # noqa: BLE001 (the thread that waits raises it)
            failure = error
        with self._changed:
            self._connection, self._error = connection, failure
            if self._is_abandoned:
                self._close()
            self.has_ended = True
            self._changed.notify_all()

    def _close(self) -> None:
        if self._connection:
            with suppress(psycopg.Error):
                self._connection.close()
