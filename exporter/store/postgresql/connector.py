"""Opens connections in a thread, because some of what this needs has no timeout."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg

from exporter.store.postgresql.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.runtime import Host

    Connection = psycopg.Connection[Any]

CONNECT_DEADLINE = 4.2  # seconds; an attempt that psycopg ends itself has ended by then, with a better message


class Connector:
    """Opens a connection, or raises UnavailableError in time.

    psycopg resolves the name of the host before its timeout begins. With a DNS server that does not respond, this takes
    up to a minute. Other steps without a timeout are files on a network, and credentials for an IAM token. Without this
    deadline, a start would not listen, and polls would wait for their commits. An attempt that takes longer continues,
    and the next call waits for the same one.
    """

    def __init__(self, host: Host, open_connection: Callable[[], Connection]) -> None:
        self._host = host
        self._open = open_connection
        self._attempt: _ConnectionAttempt | None = None

    def connect(self) -> Connection:
        """Return an open connection, or raise the error of the attempt."""
        if self._attempt is None:
            self._attempt = _ConnectionAttempt(self._host, self._open)
        if not self._attempt.ended.wait(CONNECT_DEADLINE):
            raise UnavailableError(
                f"no connection within {CONNECT_DEADLINE:g} s: "
                "the DNS server, the source of the password or the database does not respond"
            )
        attempt, self._attempt = self._attempt, None
        return attempt.result()

    def abandon(self) -> None:
        """Close the connection of an attempt in progress as soon as it is open."""
        if self._attempt:
            self._attempt.abandon()


class _ConnectionAttempt:
    """One attempt to connect, in its own thread."""

    def __init__(self, host: Host, open_connection: Callable[[], Connection]) -> None:
        self._open = open_connection
        self._mutex = threading.Lock()
        self._is_abandoned = False
        self._connection: Connection | None = None
        self._error: Exception | None = None
        self.ended = host.event()
        host.thread("state-connect", self._run).start()

    def result(self) -> Connection:
        """Return the connection after the end; raise the error of the attempt."""
        if self._connection is None:
            raise self._error or UnavailableError("the connection was not opened")
        return self._connection

    def abandon(self) -> None:
        """Close the connection, now or as soon as it is open."""
        with self._mutex:
            self._is_abandoned = True
            self._close()

    def _run(self) -> None:
        try:
            connection = self._open()
        except Exception as error:  # noqa: BLE001 (the thread that waits raises it)
            self._error = error
        else:
            with self._mutex:
                self._connection = connection
                if self._is_abandoned:
                    self._close()
        self.ended.set()

    def _close(self) -> None:
        if self._connection:
            with suppress(psycopg.Error):
                self._connection.close()
