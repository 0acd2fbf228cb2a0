"""A large number of slow HTTP clients."""

from __future__ import annotations

import resource
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from tests.support.slow_clients import REQUEST, is_dropped

BYTE_INTERVAL = 0.25  # seconds between two bytes
RECEIVE_BUFFER = 4096  # bytes; the rest of a response stays in the server
SLOW_REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000


@dataclass
class SlowClients:
    """Connected clients that stall the server.

    A third sends the request byte by byte, a third reads the response byte by byte, and a third sends nothing.
    """

    address: tuple[str, int]
    number: int
    sockets: list[socket.socket] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Connect all clients and start to send and read."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if 0 <= soft < 2 * self.number:
            resource.setrlimit(resource.RLIMIT_NOFILE, (2 * self.number, hard))
        for number in range(self.number):
            self.sockets.append(self._connect(number))
        self._thread = threading.Thread(target=self._send_and_read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect all clients."""
        self._stop.set()
        self._thread.join()
        for client in self.sockets:
            client.close()

    def connected(self) -> int:
        """Return the number of clients that the server has not dropped."""
        return sum(not is_dropped(client) for client in self.sockets)

    def _connect(self, number: int) -> socket.socket:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        client.connect(self.address)
        if number % 3 == 1:
            client.sendall(REQUEST)
        client.setblocking(False)  # noqa: FBT003 (the signature of the socket module)
        return client

    def _send_and_read(self) -> None:
        sent = 0
        while not self._stop.wait(BYTE_INTERVAL):
            senders, readers, _ = (self.sockets[kind::3] for kind in range(3))
            for sender in senders:
                with suppress(OSError):  # the server has dropped it
                    sender.send(SLOW_REQUEST[sent : sent + 1])
            for reader in readers:
                with suppress(OSError):
                    reader.recv(1)
            sent += 1
