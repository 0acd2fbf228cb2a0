"""A deadline on the client side of a connection, for responses that are lost on the network."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.runtime import Host

DEADLINE = 5.0  # seconds for one statement


class Watchdog:
    """Shuts down the socket of a statement that takes too long.

    The server enforces `statement_timeout`. If its response is lost, psycopg would wait until the kernel closes the
    connection, which a proxy in between may keep open forever.
    """

    def __init__(self, host: Host, deadline: float = DEADLINE) -> None:
        """Start the thread; `deadline` is in seconds, for one statement."""
        self.host = host
        self._seconds = deadline
        self._changed = host.condition()
        self._deadline: float | None = None
        self._descriptor = -1
        self._is_stopped = False
        self._thread = host.thread("state-watchdog", self._run)
        self._thread.start()

    @contextmanager
    def watch(self, descriptor: int) -> Iterator[None]:
        """Shut down the socket of a descriptor if the block takes too long."""
        with self._changed:
            self._deadline, self._descriptor = self.host.monotonic() + self._seconds, descriptor
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._deadline = None

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._is_stopped:
                remaining = None if self._deadline is None else self._deadline - self.host.monotonic()
                if remaining is not None and remaining <= 0:
                    self._deadline = None
                    shut_down(self._descriptor)
                else:
                    self._changed.wait(remaining)


def shut_down(descriptor: int) -> None:
    """Shut down a socket that another object owns. A thread that waits for it gets an error immediately."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
        connection.shutdown(socket.SHUT_RDWR)
