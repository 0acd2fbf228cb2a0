"""Listening sockets, which are opened before polling starts."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from exporter.errors import StartupError
from exporter.web.server.addresses import parse_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.web.server.addresses import Address

BACKLOG = 1024  # the number of connections that the kernel queues until the server accepts them
ADVICE = "choose another with --web.listen-address"
REASONS = {
    errno.EADDRINUSE: "address already in use",
    errno.EACCES: "permission denied: ports below 1024 are privileged",
    errno.EADDRNOTAVAIL: "no interface of this host has that address",
    errno.EAFNOSUPPORT: "this host has no such address family",
}


def listen(addresses: Sequence[Address | socket.socket]) -> list[socket.socket]:
    """Listen on all addresses; raise StartupError if one is not available, and close the others.

    A socket instead of an address is listening already.
    """
    with ExitStack() as opened:
        listeners = [
            opened.enter_context(each if isinstance(each, socket.socket) else _listen_or_explain(each))
            for each in addresses
        ]
        opened.pop_all()
    return listeners


def check_addresses(texts: Sequence[str]) -> None:
    """Raise StartupError if an address is not valid or not available. One that another program uses is accepted."""
    with ExitStack() as opened:
        for address in map(parse_address, texts):
            try:
                opened.enter_context(_listen(address))
            except OSError as error:
                opened.close()
                if error.errno != errno.EADDRINUSE or _is_free(address):  # then it conflicts with an earlier address
                    raise _unavailable(address, error) from error


def _is_free(address: Address) -> bool:
    try:
        _listen(address).close()
    except OSError:
        return False
    return True


def _listen_or_explain(address: Address) -> socket.socket:
    try:
        return _listen(address)
    except OSError as error:
        raise _unavailable(address, error) from error


def _listen(address: Address) -> socket.socket:
    if not address.is_every_interface:
        return _open(*_resolve(address))
    if socket.has_dualstack_ipv6():
        return _open(socket.AF_INET6, ("::", address.port))
    return _open(socket.AF_INET, ("0.0.0.0", address.port))  # noqa: S104 (configured)  # nosec B104


def _resolve(address: Address) -> tuple[int, tuple[Any, ...]]:
    """Return the family and the socket address of an address. IPv4 is preferred, as in Go."""
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, sockaddr = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, sockaddr


def _open(family: int, sockaddr: tuple[Any, ...]) -> socket.socket:
    # The protocol is set, because asyncio disables Nagle's algorithm only for connections of sockets with a protocol.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(sockaddr[0] != "::"))
        listener.bind(sockaddr)
        listener.listen(BACKLOG)  # this is here, because Linux reports some addresses as in use only now
    except OSError:
        listener.close()
        raise
    return listener


def _unavailable(address: Address, error: OSError) -> StartupError:
    return StartupError(f"cannot listen on {address}: {_reason(error)}; {ADVICE}")


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "the host name cannot be resolved"
    return REASONS.get(error.errno or 0, error.strerror or str(error))
