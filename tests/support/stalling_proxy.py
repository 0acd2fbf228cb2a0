"""A TCP proxy that can stop forwarding and keep its connections open, as a network that loses all packets.

It can also close all connections and refuse new ones, as a firewall that resets them, at once or after some messages.
"""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, suppress
from typing import Self

CHUNK = 65536


class StallingProxy:
    """A proxy on loopback in front of a port on loopback; a context manager that starts and stops it."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._forwards = threading.Event()
        self._forwards.set()
        self._accepts = True
        self._left: int | None = None
        self._counting = threading.Lock()
        self._ends: list[socket.socket] = []
        self._open = ExitStack()

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        """Accept connections."""
        self._open.enter_context(self._listener)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self._forwards.set()
        self._open.close()

    def stall(self) -> None:
        """Forward nothing from now on. Connections stay open, and new ones are accepted."""
        self._forwards.clear()

    def cut(self) -> None:
        """Close all connections, and close new ones immediately from now on."""
        self._accepts = False
        ends, self._ends = self._ends, []  # without those of new connections
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut_after(self, messages: int) -> None:
        """Forward some messages, in both directions together, and cut the connections instead of the next one."""
        self._left = messages

    @property
    def is_cut(self) -> bool:
        """Whether the connections were cut, and new ones still are."""
        return not self._accepts

    def resume(self) -> None:
        """Forward again, including data that was received meanwhile."""
        self._accepts, self._left = True, None
        self._forwards.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # the test has ended
            try:
                if not self._accepts:
                    raise ConnectionRefusedError
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                self._open.callback(end.close)
                self._ends.append(end)
            for source, destination in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(source, destination), daemon=True).start()

    def _may_forward(self) -> bool:
        with self._counting:
            if self._left is None:
                return True
            self._left -= 1
            return self._left >= 0

    def _forward(self, source: socket.socket, destination: socket.socket) -> None:
        """Forward in one direction until the source ends or resets. The end is not forwarded while the proxy stalls."""
        with suppress(OSError):
            while data := source.recv(CHUNK):
                self._forwards.wait()
                if not self._may_forward():
                    self.cut()
                    return
                destination.sendall(data)
        self._forwards.wait()
        with suppress(OSError):
            destination.shutdown(socket.SHUT_WR)
