"""TLS sessions: their memory is released with the connection."""

from __future__ import annotations

import gc
import socket
import ssl
import weakref
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from exporter.web.server.connections import Limits
from exporter.web.server.server import WebServer
from exporter.web.server.tls import TlsContext
from exporter.web.server.tls_session import TlsSession
from tests.support.certificates import Certificates, client_context, client_hello, server_context
from tests.support.harness import TIMEOUT, eventually
from tests.support.slow_clients import HALF_A_REQUEST, REQUEST
from tests.support.web_app import make_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Client = Callable[[socket.socket, ssl.SSLContext], socket.socket]

SESSIONS = 5
ALERT = b"\x15"  # the first byte of the record
VERSION_AT = 9  # after the headers of the record (5 bytes) and of the handshake message (4 bytes)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Switch off the collection of reference cycles, which may happen long after a connection has ended."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.fixture
def live_sessions(monkeypatch: pytest.MonkeyPatch) -> weakref.WeakSet[TlsSession]:
    """Return the sessions in memory."""
    sessions: weakref.WeakSet[TlsSession] = weakref.WeakSet()
    create = TlsSession.__init__

    def record(session: TlsSession, *arguments: Any) -> None:
        sessions.add(session)
        create(session, *arguments)

    monkeypatch.setattr(TlsSession, "__init__", record)
    return sessions


def invalid_client_hello(tls: ssl.SSLContext) -> bytes:
    """Return a ClientHello with a version that does not exist."""
    hello = client_hello(tls)
    return hello[:VERSION_AT] + b"\x00\x00" + hello[VERSION_AT + 2 :]


def only_client_hello(connected: socket.socket, tls: ssl.SSLContext) -> socket.socket:
    """Start a handshake, and do not continue it."""
    connected.sendall(client_hello(tls))
    return connected


def half_a_request(connected: socket.socket, tls: ssl.SSLContext) -> socket.socket:
    """Complete the handshake, and send half a request."""
    client = tls.wrap_socket(connected, server_hostname="localhost")
    client.sendall(HALF_A_REQUEST)
    return client


def idle(connected: socket.socket, tls: ssl.SSLContext) -> socket.socket:
    """Send a request and read the response."""
    client = tls.wrap_socket(connected, server_hostname="localhost")
    client.sendall(REQUEST)
    assert client.recv(1)
    return client


@pytest.mark.parametrize("limit", [SESSIONS - 2, SESSIONS], ids=["replaced by others", "ended by the client"])
@pytest.mark.parametrize("open_client", [only_client_hello, half_a_request, idle])
def test_a_session_is_released_with_its_connection(
    tmp_path: Path, live_sessions: weakref.WeakSet[TlsSession], open_client: Client, limit: int
) -> None:
    """No reference cycle keeps it, so a series of many clients costs no more memory than one."""
    Certificates(tmp_path)
    ours, theirs = server_context(tmp_path), client_context(tmp_path)
    server = WebServer(make_app(), ["127.0.0.1:0"], ssl_context=ours, limits=Limits(tls_sessions=limit))
    server.start()
    try:
        with no_garbage_collection():
            clients = [
                open_client(socket.create_connection(server.addresses[0], timeout=TIMEOUT), theirs)
                for _ in range(SESSIONS)
            ]
            eventually(lambda: len(live_sessions) == limit)
            for client in clients:
                with closing(client):
                    pass
            eventually(lambda: not live_sessions)
    finally:
        server.stop()


@pytest.mark.parametrize("more", [b"", b"more"], ids=["ended by the client", "ended by the server"])
def test_a_session_that_the_server_rejects_is_released(
    tmp_path: Path, live_sessions: weakref.WeakSet[TlsSession], more: bytes
) -> None:
    """The error of the handshake, which the client receives as an alert, does not keep the session in memory."""
    Certificates(tmp_path)
    ours, theirs = TlsContext(ssl.PROTOCOL_TLS_SERVER), client_context(tmp_path)
    ours.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    server = WebServer(make_app(), ["127.0.0.1:0"], ssl_context=ours, limits=Limits(tls_sessions=SESSIONS))
    server.start()
    try:
        with no_garbage_collection():
            for _ in range(SESSIONS):
                with socket.create_connection(server.addresses[0], timeout=TIMEOUT) as client:
                    client.sendall(invalid_client_hello(theirs))
                    assert client.recv(1) == ALERT
                    client.sendall(more)
            eventually(lambda: not live_sessions)
    finally:
        server.stop()
