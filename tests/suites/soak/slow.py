"""Clients that take their time, a great many at once."""

from __future__ import annotations

import resource
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from tests.support.slow_clients import REQUEST, is_dropped

TICK = 0.25  # seconds between two bytes
SMALL = 4096  # bytes that a reader's kernel takes for it: the rest stays with the server
SLOWLY = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000


@dataclass
class SlowClients:
    """So many clients: a third sends its request byte by byte, one reads byte by byte, one says nothing."""

    address: tuple[str, int]
    number: int
    sockets: list[socket.socket] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Connect all of them, and be slow."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if 0 <= soft < 2 * self.number:
            resource.setrlimit(resource.RLIMIT_NOFILE, (2 * self.number, hard))
        for number in range(self.number):
            self.sockets.append(self._connect(number))
        self._thread = threading.Thread(target=self._be_slow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Go away."""
        self._over.set()
        self._thread.join()
        for client in self.sockets:
            client.close()

    def waiting(self) -> int:
        """Count those that the server has not dropped."""
        return sum(not is_dropped(client) for client in self.sockets)

    def _connect(self, number: int) -> socket.socket:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        client.connect(self.address)
        if number % 3 == 1:
            client.sendall(REQUEST)
        client.setblocking(False)  # noqa: FBT003 (socket has it so)
        return client

    def _be_slow(self) -> None:
        said = 0
        while not self._over.wait(TICK):
            senders, readers, _ = (self.sockets[kind::3] for kind in range(3))
            for sender in senders:
                with suppress(OSError):  # it has been dropped
                    sender.send(SLOWLY[said : said + 1])
            for reader in readers:
                with suppress(OSError):
                    reader.recv(1)
            said += 1
