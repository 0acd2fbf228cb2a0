"""The web server: addresses, start and stop, and clients that stall."""

from __future__ import annotations

import errno
import http.client
import logging
import re
import resource
import signal
import socket
import ssl
import threading
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.errors import StartupError
from exporter.web.server.addresses import Address, parse_address
from exporter.web.server.connections import Limits
from exporter.web.server.server import WebServer
from tests.support.certificates import Certificates, client_context, client_hello, server_context
from tests.support.harness import TIMEOUT, eventually
from tests.support.slow_clients import HALF_A_REQUEST, REQUEST, at_least, is_dropped, wait_until_dropped
from tests.support.web_app import METRICS, FakeExposition, make_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LARGE = 32 * 1024 * 1024  # bytes; more than the buffers of the kernel at both ends
PATIENT = Limits(request=600, response=600, idle=600)
"""Limits that no test reaches. A client that is dropped has exceeded the limit that the test sets instead."""
CLIENT_HELLO = client_hello(ssl.create_default_context())
TLS_STAGES = (b"", CLIENT_HELLO[:3], CLIENT_HELLO[:100], CLIENT_HELLO)
"""What clients send before they stall in the handshake."""


@pytest.fixture
def start() -> Iterator[Callable[..., WebServer]]:
    """Return a function that starts a server; stop the servers after the test."""
    servers = []

    def start(
        *addresses: str,
        exposition: FakeExposition | None = None,
        limits: Limits | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> WebServer:
        server = WebServer(make_app(exposition), addresses or ["127.0.0.1:0"], limits=limits, ssl_context=ssl_context)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def connect() -> Iterator[Callable[..., socket.socket]]:
    """Return a function that opens a connection and sends some bytes; close the connections after the test."""
    with ExitStack() as opened:

        def connect(server: WebServer, sent: bytes = b"", receive_buffer: int | None = None) -> socket.socket:
            client = opened.enter_context(socket.socket())
            if receive_buffer is not None:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            client.settimeout(TIMEOUT)
            client.connect(server.addresses[0])
            client.sendall(sent)
            return client

        yield connect


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a certificate, its key, and the authority that issued it."""
    return Certificates(tmp_path_factory.mktemp("tls")).folder


def scrape(server: WebServer, index: int = 0, tls: ssl.SSLContext | None = None) -> bytes:
    """Return the metrics, requested on a new connection."""
    host, port = server.addresses[index]
    made = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=tls) if tls else None
    with closing(made or http.client.HTTPConnection(host, port, timeout=TIMEOUT)) as connection:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert response.status == 200
        return response.read()


def is_immediate(scrape: Callable[[], bytes]) -> bool:
    """Return whether a scrape takes less than 30 ms. On a busy machine, some scrapes do and others do not."""
    started = time.monotonic()
    scrape()
    return time.monotonic() - started < 0.03


def stop(server: WebServer) -> None:
    """Stop the server, and wait for its end."""
    server.stop(TIMEOUT)
    assert not server.is_alive()


def refuses_connections(server: WebServer) -> bool:
    """Return whether the server has closed its port."""
    with socket.socket() as client:
        return client.connect_ex(server.addresses[0]) == errno.ECONNREFUSED


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":10142", Address("", 10142)),
        ("127.0.0.1:10142", Address("127.0.0.1", 10142)),
        ("0.0.0.0:1", Address("0.0.0.0", 1)),  # noqa: S104 (nothing is bound here)
        ("[::1]:10142", Address("::1", 10142)),
        ("[::]:65535", Address("::", 65535)),
        ("[0:0::1]:0", Address("::1", 0)),
        ("[fe80::1%eth0]:80", Address("fe80::1%eth0", 80)),
        ("localhost:0", Address("localhost", 0)),
        ("a-b.example.com:010", Address("a-b.example.com", 10)),
    ],
)
def test_addresses_are_parsed(text: str, address: Address) -> None:
    """Addresses have the format of Prometheus."""
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no port"),
        ("10142", "has no port"),
        ("localhost", "has no port"),
        ("localhost:", "needs a port from 0 to 65535"),
        (":http", "needs a port from 0 to 65535"),
        (":65536", "needs a port from 0 to 65535"),
        (":-1", "needs a port from 0 to 65535"),
        (":٣", "needs a port from 0 to 65535"),
        (":" + "9" * 5000, "needs a port from 0 to 65535"),
        (": 80", "needs a port from 0 to 65535"),
        ("::1:80", "too many colons: write an IPv6 address in brackets"),
        ("[::1]", "needs a port from 0 to 65535"),
        ("[localhost]:80", "has no IPv6 address between its brackets"),
        ("[]:80", "has no IPv6 address between its brackets"),
        ("http://localhost:80", "too many colons"),
        ("a b:80", "has no usable host name"),
        ("[::1:80", "too many colons"),
        ("bücher:80", "has no usable host name"),
    ],
)
def test_invalid_addresses_are_rejected(text: str, reason: str) -> None:
    """The message has the flag, the text, the reason and valid examples."""
    with pytest.raises(StartupError, match=re.escape(reason)) as caught:
        parse_address(text)
    assert str(caught.value).startswith(f"--web.listen-address {text!r}")
    assert "write :10142, 127.0.0.1:10142 or [::1]:10142" in str(caught.value)


def test_an_invalid_address_is_found_before_the_start() -> None:
    """The constructor raises the error."""
    with pytest.raises(StartupError, match="has no port"):
        WebServer(
            make_app(),
            [":0", "nonsense"],
        )


def test_the_server_listens_on_several_addresses(start: Callable[..., WebServer]) -> None:
    """Each has its own port, in the order of the flags, and both serve."""
    server = start("127.0.0.1:0", "localhost:0")
    (first, second) = server.addresses
    assert first[0] == "127.0.0.1"
    assert first[1] != second[1] != 0
    assert [scrape(server, index) for index in (0, 1)] == [METRICS, METRICS]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this host has no IPv6")
def test_an_address_without_a_host_serves_ipv4_and_ipv6(start: Callable[..., WebServer]) -> None:
    """An address in brackets serves IPv6 only."""
    server = start("[::1]:0", ":0")
    assert scrape(server) == METRICS
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, server.addresses[1][1]), timeout=TIMEOUT) as client:
            client.sendall(REQUEST)
            assert client.recv(15) == b"HTTP/1.1 200 OK"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.addresses[0][1]), timeout=TIMEOUT)


def test_a_port_in_use_is_a_startup_error(start: Callable[..., WebServer]) -> None:
    """The message has the address, the reason and a fix; the other addresses are closed again."""
    taken = start().addresses[0][1]
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    with pytest.raises(StartupError) as caught:
        start(f"127.0.0.1:{free}", f"127.0.0.1:{taken}")
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{taken}: address already in use; choose another with --web.listen-address"
    )
    assert scrape(start(f"127.0.0.1:{free}")) == METRICS


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("192.0.2.1:0", "no interface of this host has that address"),
        ("no-such-host.invalid:0", "the host name cannot be resolved"),
    ],
)
def test_an_address_of_another_host_is_a_startup_error(start: Callable[..., WebServer], address: str, why: str) -> None:
    """The message has the address and the reason."""
    with pytest.raises(StartupError, match=f"cannot listen on {address}: {why}; choose another"):
        start(address)


def test_the_port_is_free_again_after_a_stop(start: Callable[..., WebServer]) -> None:
    """The server is alive until then."""
    server = start()
    port = server.addresses[0][1]
    assert server.is_alive()
    stop(server)
    with pytest.raises(ConnectionRefusedError):
        scrape(server)
    assert scrape(start(f"127.0.0.1:{port}")) == METRICS


def test_a_server_can_be_stopped_without_a_start() -> None:
    """A second stop has no effect."""
    server = WebServer(
        make_app(),
        ["127.0.0.1:0"],
    )
    server.stop()
    server.stop()
    assert not server.is_alive()


def test_the_server_installs_no_signal_handlers(start: Callable[..., WebServer]) -> None:
    """The main program handles signals."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    start()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_stalled_clients_do_not_delay_a_stop(
    start: Callable[..., WebServer], connect: Callable[..., socket.socket]
) -> None:
    """This holds for silent clients, half requests and unread responses."""
    server = start(exposition=FakeExposition([b"x" * LARGE]), limits=PATIENT)
    clients = [connect(server, sent) for sent in (b"", HALF_A_REQUEST) for _ in range(50)]
    clients.append(connect(server, REQUEST, receive_buffer=4096))
    clients[-1].recv(1)
    stop(server)
    wait_until_dropped(clients)


def test_a_scrape_in_progress_completes_during_a_stop(
    start: Callable[..., WebServer], connect: Callable[..., socket.socket]
) -> None:
    """The client receives its metrics."""
    gate = threading.Event()
    exposition = FakeExposition(gate=gate)
    server = start(exposition=exposition, limits=replace(PATIENT, stop=TIMEOUT))
    client = connect(server, REQUEST)
    assert exposition.rendering.wait(TIMEOUT)
    stopping = threading.Thread(target=server.stop, args=(TIMEOUT,))
    stopping.start()
    eventually(lambda: refuses_connections(server))
    gate.set()
    stopping.join(TIMEOUT)
    assert not server.is_alive()
    assert client.recv(65536).endswith(METRICS)


def test_a_stop_does_not_wait_for_a_rendering_that_hangs(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
) -> None:
    """The server drops its client."""
    gate = threading.Event()
    exposition = FakeExposition(gate=gate)
    server = start(exposition=exposition, limits=PATIENT)
    connect(server, REQUEST)
    assert exposition.rendering.wait(TIMEOUT)
    try:
        stop(server)
    finally:
        gate.set()


def test_a_thousand_half_requests_do_not_delay_scrapes(
    start: Callable[..., WebServer], connect: Callable[..., socket.socket]
) -> None:
    """None of the clients is dropped."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert hard == resource.RLIM_INFINITY or hard >= 2048, "set the hard limit of open files to 2048 (ulimit -Hn)"
    server = start(limits=replace(PATIENT, connections=2000))
    clients = [connect(server, HALF_A_REQUEST) for _ in range(1000)]
    eventually(lambda: is_immediate(lambda: scrape(server)))
    assert not any(map(is_dropped, clients))


def test_a_scrape_in_progress_survives_many_new_connections(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
) -> None:
    """New connections replace stalled ones, and not one with a response in progress."""
    gate = threading.Event()
    exposition = FakeExposition(gate=gate)
    server = start(exposition=exposition, limits=replace(PATIENT, connections=5))
    client = connect(server, REQUEST)
    assert exposition.rendering.wait(TIMEOUT)
    stalled = [connect(server, HALF_A_REQUEST) for _ in range(20)]
    wait_until_dropped(stalled[:15])
    gate.set()
    assert client.recv(15) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "sent", [b"", HALF_A_REQUEST, b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"]
)
def test_unfinished_requests_are_dropped(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    sent: bytes,
) -> None:
    """Silent clients, half heads and half bodies have the same time limit."""
    server = start(limits=replace(PATIENT, request=0.5))
    with at_least(0.5):
        wait_until_dropped([connect(server, sent)])


def test_single_bytes_do_not_extend_the_time_limit(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
) -> None:
    """A client that sends a byte now and then is dropped like a silent one."""
    server = start(limits=replace(PATIENT, request=0.5))
    with at_least(0.5):
        client = connect(server, HALF_A_REQUEST)

        def is_dropped_after_a_byte() -> bool:
            with suppress(OSError):  # reset or broken pipe, whichever comes first
                client.sendall(b"x")
            return is_dropped(client)

        eventually(is_dropped_after_a_byte)


def test_a_second_request_has_the_same_time_limit(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
) -> None:
    """A complete first request does not extend the limit of the second."""
    client = connect(start(limits=replace(PATIENT, request=0.5)), REQUEST)
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    with at_least(0.5):
        client.sendall(HALF_A_REQUEST)
        wait_until_dropped([client])


def test_idle_connections_are_kept_between_scrapes(
    start: Callable[..., WebServer], connect: Callable[..., socket.socket]
) -> None:
    """A connection may be idle for longer than a request may take."""
    server = start(limits=replace(PATIENT, request=0.5))
    with closing(http.client.HTTPConnection(*server.addresses[0], timeout=TIMEOUT)) as connection:
        connection.request("GET", "/metrics")
        connection.getresponse().read()
        used = connection.sock
        wait_until_dropped([connect(server, HALF_A_REQUEST)])
        connection.request("GET", "/metrics")
        assert connection.getresponse().read() == METRICS
        assert connection.sock is used


def test_idle_connections_are_closed(start: Callable[..., WebServer], connect: Callable[..., socket.socket]) -> None:
    """They have their own time limit."""
    with at_least(1):
        client = connect(start(limits=replace(PATIENT, idle=1)), REQUEST)
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        wait_until_dropped([client])


@pytest.mark.parametrize("extra", [b"", b"Connection: close\r\n"])
def test_slow_readers_are_dropped(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    extra: bytes,
) -> None:
    """This holds for connections that stay open and for those that close after the response."""
    server = start(exposition=FakeExposition([b"x" * LARGE]), limits=replace(PATIENT, response=0.5))
    with at_least(0.5):
        client = connect(server, REQUEST.removesuffix(b"\r\n") + extra + b"\r\n", receive_buffer=4096)
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        wait_until_dropped([client])


def test_the_number_of_unread_responses_is_limited(
    start: Callable[..., WebServer], connect: Callable[..., socket.socket]
) -> None:
    """The oldest ones beyond the limit are dropped immediately, because each holds memory."""
    server = start(exposition=FakeExposition([b"x" * LARGE]), limits=replace(PATIENT, unread=2, request=0.5))
    clients = [connect(server, REQUEST, receive_buffer=4096) for _ in range(5)]
    wait_until_dropped(clients, expected=3)
    wait_until_dropped([connect(server, HALF_A_REQUEST)])  # by a later sweep
    assert sum(map(is_dropped, clients)) == 3


def test_twenty_slow_clients_receive_complete_responses(
    start: Callable[..., WebServer], connect: Callable[..., socket.socket]
) -> None:
    """The clients read more slowly than the server sends."""
    piece, pieces = b"x" * 65536, LARGE // 4 // 65536
    server = start(exposition=FakeExposition([piece] * pieces))
    request = REQUEST.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
    clients = [connect(server, request, receive_buffer=4096) for _ in range(20)]
    for client in clients:
        assert client.recv(15, socket.MSG_PEEK) == b"HTTP/1.1 200 OK"
    for client in clients:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024 * 1024)
        with client.makefile("rb") as response:
            assert response.read().endswith(b"\r\n\r\n" + piece * pieces)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20_000,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_malformed_requests_are_rejected(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    caplog: pytest.LogCaptureFixture,
    sent: bytes,
) -> None:
    """A TLS handshake, a large head and a missing Host get 400 and a closed connection, and no log line."""
    client = connect(start(), sent)
    response = client.makefile("rb").read()
    assert response.startswith(b"HTTP/1.1 400 ")
    assert b"X-Content-Type-Options: nosniff\r\n" in response
    assert not caplog.records


@pytest.mark.parametrize("wait_for_response", [True, False])
def test_a_malformed_body_ends_the_connection(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    caplog: pytest.LogCaptureFixture,
    wait_for_response: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    """This holds before and after the response, and leaves no log line."""
    caplog.set_level(logging.INFO)
    server = start()
    head = b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1001\r\n" + b"x" * 4097
    client = connect(server, head if wait_for_response else head + b"nonsense\r\n")
    if wait_for_response:
        assert client.recv(12) == b"HTTP/1.1 413"
        client.sendall(b"nonsense\r\n")
    wait_until_dropped([client])
    assert scrape(server) == METRICS
    assert not caplog.records


def test_stalled_tls_clients_do_not_prevent_scrapes(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    certificates: Path,
) -> None:
    """More clients than there may be connections stall at different stages of their handshakes."""
    server = start(ssl_context=server_context(certificates), limits=PATIENT)
    clients = [connect(server, sent) for sent in TLS_STAGES for _ in range(150)]
    assert [scrape(server, tls=client_context(certificates)) for _ in range(3)] == [METRICS] * 3
    assert sum(map(is_dropped, clients)) >= len(clients) - PATIENT.connections


@pytest.mark.parametrize("sent", TLS_STAGES, ids=["nothing", "a header", "half a hello", "a hello"])
def test_unfinished_handshakes_are_dropped(
    start: Callable[..., WebServer], connect: Callable[..., socket.socket], certificates: Path, sent: bytes
) -> None:
    """They have the time limit of a request."""
    server = start(ssl_context=server_context(certificates), limits=replace(PATIENT, request=0.5))
    with at_least(0.5):
        wait_until_dropped([connect(server, sent)])


@pytest.mark.parametrize("size", [1000, 100_000])
def test_tls_scrapes_have_no_delayed_packets(start: Callable[..., WebServer], certificates: Path, size: int) -> None:
    """No packet waits for the acknowledgement of the one before, which would take 40 ms in every scrape."""
    ours, theirs = server_context(certificates), client_context(certificates)
    server = start(ssl_context=ours, exposition=FakeExposition([b"x" * size]))
    eventually(lambda: is_immediate(lambda: scrape(server, tls=theirs)))
    assert len(scrape(server, tls=theirs)) == size


def test_slow_readers_over_tls_are_dropped(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    certificates: Path,
) -> None:
    """The server detects unread responses under TLS too."""
    ours, theirs = server_context(certificates), client_context(certificates)
    server = start(ssl_context=ours, exposition=FakeExposition([b"x" * LARGE]), limits=replace(PATIENT, response=0.5))
    with theirs.wrap_socket(connect(server, receive_buffer=4096), server_hostname="localhost") as client, at_least(0.5):
        client.sendall(REQUEST)
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        wait_until_dropped([client])


def test_tls_clients_do_not_delay_a_stop(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    certificates: Path,
) -> None:
    """This holds for handshakes in progress, and for clients that do not confirm the end of the connection."""
    ours, theirs = server_context(certificates), client_context(certificates)
    server = start(ssl_context=ours, limits=PATIENT)
    clients = [connect(server) for _ in range(3)]
    with theirs.wrap_socket(connect(server), server_hostname="localhost") as idle:
        idle.sendall(REQUEST)
        assert idle.recv(15) == b"HTTP/1.1 200 OK"
        stop(server)
        wait_until_dropped([*clients, idle])
