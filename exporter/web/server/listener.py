"""Listening sockets, which are opened before polling starts, and report each connection that they accept."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from exporter.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.web.server.addresses import Address

    Accepted = Callable[[socket.socket], object]

BACKLOG = 1024  # connections that the kernel queues until the server accepts them
ADVICE = "choose another with --web.listen-address"
REASONS = {
    errno.EADDRINUSE: "address already in use",
    errno.EACCES: "permission denied: ports below 1024 are privileged",
    errno.EADDRNOTAVAIL: "no interface of this host has that address",
    errno.EAFNOSUPPORT: "this host has no such address family",
}


class Listener(socket.socket):
    """A listening socket that reports each connection as it is accepted, before any handshake."""

    def __init__(self, family: int, accepted: Accepted) -> None:
        # With the protocol, because asyncio disables Nagle's algorithm only for sockets that name it.
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._accepted = accepted

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection and report it."""
        connection, address = super().accept()
        self._accepted(connection)
        return connection, address

    def listen(self, _backlog: int = BACKLOG, /) -> None:
        """Listen with a backlog of its own: asyncio also limits the connections accepted in a row by its backlog."""
        super().listen(BACKLOG)


def listen(addresses: Sequence[Address], accepted: Accepted) -> list[Listener]:
    """Listen on all addresses; raise StartupError if one is not available, and close the others."""
    with ExitStack() as opened:
        listeners = [opened.enter_context(_listen_or_explain(address, accepted)) for address in addresses]
        opened.pop_all()
    return listeners


def _listen_or_explain(address: Address, accepted: Accepted) -> Listener:
    try:
        return _listen(address, accepted)
    except OSError as error:
        raise StartupError(f"cannot listen on {address}: {_reason(error)}; {ADVICE}") from error


def _listen(address: Address, accepted: Accepted) -> Listener:
    if not address.is_every_interface:
        return _open(*_resolve(address), accepted)
    if socket.has_dualstack_ipv6():
        return _open(socket.AF_INET6, ("::", address.port), accepted)
    return _open(socket.AF_INET, ("0.0.0.0", address.port), accepted)  # noqa: S104 (configured)  # nosec B104


def _resolve(address: Address) -> tuple[int, tuple[Any, ...]]:
    """Return one family and socket address. Of a name with several, IPv4 is first, as in Go."""
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, sockaddr = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, sockaddr


def _open(family: int, sockaddr: tuple[Any, ...], accepted: Accepted) -> Listener:
    listener = Listener(family, accepted)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(sockaddr[0] != "::"))
        listener.bind(sockaddr)
        listener.listen()  # here, because Linux reports some addresses as in use only now
    except OSError:
        listener.close()
        raise
    return listener


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "the host name cannot be resolved"
    return REASONS.get(error.errno or 0, error.strerror or str(error))
