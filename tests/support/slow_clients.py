"""Clients that stall: partial requests, and whether the server has dropped a connection."""

from __future__ import annotations

import select
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.harness import TIMEOUT

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator

HALF_A_REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Half"
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


def is_dropped(client: socket.socket) -> bool:
    """Return whether the server has ended a connection, without reading from it."""
    poll = select.poll()
    poll.register(client, select.POLLRDHUP)
    return bool(poll.poll(0))


def wait_until_dropped(clients: Iterable[socket.socket], expected: int | None = None) -> None:
    """Wait until the server has ended all of these connections, or `expected` of them."""
    descriptors = {client.fileno() for client in clients}
    remaining = 0 if expected is None else len(descriptors) - expected
    deadline = time.monotonic() + TIMEOUT
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLRDHUP)
    while len(descriptors) > remaining and (left := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            poll.unregister(descriptor)
            descriptors.remove(descriptor)
    assert len(descriptors) == remaining, f"{len(descriptors)} connections are still open"


@contextmanager
def at_least(seconds: float) -> Iterator[None]:
    """Require that the block takes at least this time. The actual time depends on the machine."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began >= seconds
