"""Listening sockets that systemd opened for the program (socket activation)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from exporter.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

FIRST_DESCRIPTOR = 3
FLAG = "--web.systemd-socket"


def inherited_sockets(environment: MutableMapping[str, str], pid: int) -> list[socket.socket]:
    """Return the sockets that systemd passed to this process; raise StartupError if there are none.

    The variables of the protocol are removed, so that a credential process does not use the sockets.
    """
    own = environment.pop("LISTEN_PID", "") == str(pid)
    count = int(environment.pop("LISTEN_FDS", "0"))
    if not own or not count:
        raise StartupError(f"{FLAG}: systemd passed no socket; start the program by a .socket unit, or omit the flag")
    return [_socket(FIRST_DESCRIPTOR + number) for number in range(count)]


def _socket(descriptor: int) -> socket.socket:
    inherited = socket.socket(fileno=descriptor)
    inherited.set_inheritable(False)
    is_listening = inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if inherited.family not in {socket.AF_INET, socket.AF_INET6} or not is_listening:
        raise StartupError(f"{FLAG}: descriptor {descriptor} is not a listening TCP socket; use ListenStream=PORT")
    return inherited
