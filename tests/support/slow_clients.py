"""Clients that stall: partial requests, and whether the server has dropped a connection."""

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
    """Return whether the server has ended a connection, without reading from it."""
    poll = select.poll()
    poll.register(client, select.POLLRDHUP)
    return bool(poll.poll(0))


def seconds_until_dropped(clients: Iterable[socket.socket], timeout: float = 5, expected: int | None = None) -> float:
    """Wait until the server has ended all of these connections, or `expected` of them; return the duration."""
    started = time.monotonic()
    descriptors = {client.fileno() for client in clients}
    remaining = 0 if expected is None else len(descriptors) - expected
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLRDHUP)
    while len(descriptors) > remaining and (left := started + timeout - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            poll.unregister(descriptor)
            descriptors.remove(descriptor)
    assert len(descriptors) == remaining, f"{len(descriptors)} connections are still open"
    return time.monotonic() - started
