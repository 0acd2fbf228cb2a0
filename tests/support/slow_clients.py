"""Clients that stall, as the server's end of their connections has them."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

HALF_A_REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Half"
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


def is_dropped(client: socket.socket) -> bool:
    """Tell whether the server has ended a connection, without reading from it."""
    poll = select.poll()
    poll.register(client, select.POLLRDHUP)
    return bool(poll.poll(0))


def seconds_until_dropped(clients: Iterable[socket.socket], patience: float = 5) -> float:
    """Wait until the server has ended every one of these connections."""
    began = time.monotonic()
    waiting = list(clients)
    while waiting and time.monotonic() - began < patience:
        time.sleep(0.02)
        waiting = [client for client in waiting if not is_dropped(client)]
    assert not waiting, f"{len(waiting)} connections are still open"
    return time.monotonic() - began
