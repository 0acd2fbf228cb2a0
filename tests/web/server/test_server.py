"""The web server: its addresses, its start and stop, and clients that stall."""

from __future__ import annotations

import http.client
import logging
import re
import resource
import signal
import socket
import ssl
import statistics
import threading
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from exporter.errors import StartupError
from exporter.web.application import AppServices, create_app
from exporter.web.server.addresses import Address, parse_address
from exporter.web.server.connections import Limits
from exporter.web.server.server import WebServer
from tests.support.certificates import Certificates, trusting
from tests.support.slow_clients import HALF_A_REQUEST, REQUEST, is_dropped, seconds_until_dropped
from tests.support.status_fixtures import StatusFixture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

LARGE = 32 * 1024 * 1024  # more than the kernel's buffers at both ends hold
QUICK = Limits(request=1, response=1, idle=1)


@dataclass(frozen=True)
class FixedExposition:
    """Give the same body to everyone, once the gate is open; in so many pieces that are alike."""

    body: bytes = b"up 1\n"
    pieces: int = 1
    gate: threading.Event | None = None
    asked: threading.Event = field(default_factory=threading.Event)

    def render(self, accept: str, accept_encoding: str) -> tuple[Sequence[bytes], dict[str, str]]:  # noqa: ARG002 - a protocol's
        """Give the body."""
        self.asked.set()
        if self.gate is not None:
            self.gate.wait(20)
        return (self.body,) * self.pieces, {"Content-Type": "text/plain"}


@pytest.fixture
def start() -> Iterator[Callable[..., WebServer]]:
    """Start servers, and stop them after the test."""
    servers = []

    def start(
        *addresses: str,
        exposition: FixedExposition | None = None,
        limits: Limits | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> WebServer:
        site = AppServices(exposition or FixedExposition(), StatusFixture.of().status, lambda: None, lambda: None)
        server = WebServer(create_app(site), addresses or ["127.0.0.1:0"], limits=limits, ssl_context=ssl_context)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def connect() -> Iterator[Callable[..., socket.socket]]:
    """Open connections that say something and then stall, and close them after the test."""
    with ExitStack() as opened:

        def connect(server: WebServer, said: bytes = b"", receive_buffer: int | None = None) -> socket.socket:
            client = opened.enter_context(socket.socket())
            if receive_buffer is not None:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            client.settimeout(5)
            client.connect(server.addresses[0])
            client.sendall(said)
            return client

        yield connect


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a server's certificate and key, and the authority that issued it."""
    return Certificates(tmp_path_factory.mktemp("tls")).folder


def scrape(server: WebServer, index: int = 0, tls: ssl.SSLContext | None = None) -> bytes:
    """Ask for the metrics on a new connection."""
    host, port = server.addresses[index]
    made = http.client.HTTPSConnection(host, port, timeout=5, context=tls) if tls else None
    with closing(made or http.client.HTTPConnection(host, port, timeout=5)) as connection:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert response.status == 200
        return response.read()


def seconds_to_stop(server: WebServer) -> float:
    """Stop the server and take the time."""
    began = time.monotonic()
    server.stop()
    assert not server.is_alive()
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":10142", Address("", 10142)),
        ("127.0.0.1:10142", Address("127.0.0.1", 10142)),
        ("0.0.0.0:1", Address("0.0.0.0", 1)),  # noqa: S104 - nothing is bound here
        ("[::1]:10142", Address("::1", 10142)),
        ("[::]:65535", Address("::", 65535)),
        ("[0:0::1]:0", Address("::1", 0)),
        ("[fe80::1%eth0]:80", Address("fe80::1%eth0", 80)),
        ("localhost:0", Address("localhost", 0)),
        ("a-b.example.com:010", Address("a-b.example.com", 10)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    """Prometheus' way of writing addresses is understood."""
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "why"),
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
        ("::1:80", "too many colons: an IPv6 address goes in brackets"),
        ("[::1]", "needs a port from 0 to 65535"),
        ("[localhost]:80", "has no IPv6 address between its brackets"),
        ("[]:80", "has no IPv6 address between its brackets"),
        ("http://localhost:80", "too many colons"),
        ("a b:80", "has no usable host name"),
        ("[::1:80", "too many colons"),
        ("bücher:80", "has no usable host name"),
    ],
)
def test_bad_addresses(text: str, why: str) -> None:
    """The message names the flag and the text, says what is wrong, and shows what would be right."""
    with pytest.raises(StartupError, match=re.escape(why)) as caught:
        parse_address(text)
    assert str(caught.value).startswith(f"--web.listen-address {text!r}")
    assert "write :10142, 127.0.0.1:10142 or [::1]:10142" in str(caught.value)


def test_bad_address_is_found_before_anything_starts() -> None:
    """The constructor refuses it."""
    with pytest.raises(StartupError, match="has no port"):
        WebServer(
            create_app(AppServices(FixedExposition(), StatusFixture.of().status, lambda: None, lambda: None)),
            [":0", "nonsense"],
        )


def test_two_addresses(start: Callable[..., WebServer]) -> None:
    """Each gets its own port, in the order asked for, and both answer."""
    server = start("127.0.0.1:0", "localhost:0")
    (first, second) = server.addresses
    assert first[0] == "127.0.0.1"
    assert first[1] != second[1] != 0
    assert [scrape(server, index) for index in (0, 1)] == [b"up 1\n", b"up 1\n"]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this host has no IPv6")
def test_ipv6_and_all_interfaces(start: Callable[..., WebServer]) -> None:
    """An address without a host answers over IPv4 and IPv6, one in brackets over IPv6 alone."""
    server = start("[::1]:0", ":0")
    assert scrape(server) == b"up 1\n"
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, server.addresses[1][1]), timeout=5) as client:
            client.sendall(REQUEST)
            assert client.recv(15) == b"HTTP/1.1 200 OK"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.addresses[0][1]), timeout=5)


def test_port_in_use(start: Callable[..., WebServer]) -> None:
    """The message says which address, why, and what to do; the other addresses are given back."""
    taken = start().addresses[0][1]
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    with pytest.raises(StartupError) as caught:
        start(f"127.0.0.1:{free}", f"127.0.0.1:{taken}")
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{taken}: address already in use; choose another with --web.listen-address"
    )
    assert scrape(start(f"127.0.0.1:{free}")) == b"up 1\n"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("192.0.2.1:0", "no interface of this host has that address"),
        ("no-such-host.invalid:0", "the host name cannot be resolved"),
    ],
)
def test_addresses_of_others(start: Callable[..., WebServer], address: str, why: str) -> None:
    """An address that is not ours is a reason not to start."""
    with pytest.raises(StartupError, match=f"cannot listen on {address}: {why}; choose another"):
        start(address)


def test_start_and_stop(start: Callable[..., WebServer]) -> None:
    """It is alive in between, and its port is free again afterwards."""
    server = start()
    port = server.addresses[0][1]
    assert server.is_alive()
    assert seconds_to_stop(server) < 1
    with pytest.raises(ConnectionRefusedError):
        scrape(server)
    assert scrape(start(f"127.0.0.1:{port}")) == b"up 1\n"


def test_stop_without_start() -> None:
    """A server that never started can be stopped, twice."""
    server = WebServer(
        create_app(AppServices(FixedExposition(), StatusFixture.of().status, lambda: None, lambda: None)),
        ["127.0.0.1:0"],
    )
    server.stop()
    server.stop()
    assert not server.is_alive()


def test_signals_belong_to_the_main_program(start: Callable[..., WebServer]) -> None:
    """No handler is installed."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    start()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_stop_under_stalled_clients(start: Callable[..., WebServer], connect: Callable[..., socket.socket]) -> None:
    """Neither silence, nor half a request, nor an unread response delays it."""
    server = start(exposition=FixedExposition(b"x" * LARGE))
    clients = [connect(server, said) for said in (b"", HALF_A_REQUEST) for _ in range(50)]
    clients.append(connect(server, REQUEST, receive_buffer=4096))
    clients[-1].recv(1)
    assert seconds_to_stop(server) < 2
    seconds_until_dropped(clients)


def test_stop_lets_answers_finish(start: Callable[..., WebServer], connect: Callable[..., socket.socket]) -> None:
    """A scrape under way when the stop comes gets its metrics."""
    gate = threading.Event()
    exposition = FixedExposition(gate=gate)
    server = start(exposition=exposition)
    client = connect(server, REQUEST)
    assert exposition.asked.wait(5)
    threading.Timer(0.3, gate.set).start()
    assert seconds_to_stop(server) < 2
    assert client.recv(65536).endswith(b"up 1\n")


def test_stop_does_not_wait_for_a_render_that_hangs(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
) -> None:
    """Its client is dropped, and its thread left behind."""
    gate = threading.Event()
    exposition = FixedExposition(gate=gate)
    server = start(exposition=exposition)
    connect(server, REQUEST)
    assert exposition.asked.wait(5)
    try:
        assert seconds_to_stop(server) < 2
    finally:
        gate.set()


def test_thousand_half_requests(start: Callable[..., WebServer], connect: Callable[..., socket.socket]) -> None:
    """Scrapes go on meanwhile, and every stalled client is dropped in time."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2048:
        pytest.skip("too few file descriptors for so many clients")
    server = start(limits=QUICK)
    clients = [connect(server, HALF_A_REQUEST) for _ in range(1000)]
    latencies = []
    for _ in range(5):
        began = time.monotonic()
        assert scrape(server) == b"up 1\n"
        latencies.append(time.monotonic() - began)
    assert max(latencies) < 1
    assert statistics.median(latencies) < 0.5
    assert seconds_until_dropped(clients) < 4


def test_scrape_under_way_survives_a_flood(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
) -> None:
    """Newcomers take the places of those who stall, not that of a client who is being answered."""
    gate = threading.Event()
    exposition = FixedExposition(gate=gate)
    server = start(exposition=exposition, limits=Limits(connections=5))
    client = connect(server, REQUEST)
    assert exposition.asked.wait(5)
    stalled = [connect(server, HALF_A_REQUEST) for _ in range(20)]
    seconds_until_dropped(stalled[:15])
    gate.set()
    assert client.recv(15) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "said", [b"", HALF_A_REQUEST, b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"]
)
def test_unfinished_requests_are_dropped(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    said: bytes,
) -> None:
    """Silence, half a head and half a body have the same deadline."""
    client = connect(start(limits=Limits(request=1)), said)
    assert 0.5 < seconds_until_dropped([client]) < 3


def test_trickling_does_not_extend_the_deadline(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
) -> None:
    """A client that sends a byte now and then is dropped as one that is silent."""
    client = connect(start(limits=Limits(request=1)), HALF_A_REQUEST)
    began = time.monotonic()
    with suppress(OSError):  # reset or broken pipe, whichever comes first
        while time.monotonic() - began < 5:
            client.sendall(b"x")
            time.sleep(0.1)
    assert 0.5 < time.monotonic() - began < 3


def test_second_request_has_a_deadline_too(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
) -> None:
    """A good first request earns nothing for a second that stalls."""
    client = connect(start(limits=Limits(request=1)), REQUEST)
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    client.sendall(HALF_A_REQUEST)
    assert 0.5 < seconds_until_dropped([client]) < 3


def test_connections_are_kept_between_scrapes(start: Callable[..., WebServer]) -> None:
    """One that has been idle longer than a request may take still serves, until its own time is up."""
    server = start(limits=Limits(request=1, idle=3))
    with closing(http.client.HTTPConnection(*server.addresses[0], timeout=5)) as connection:
        connection.request("GET", "/metrics")
        connection.getresponse().read()
        used = connection.sock
        time.sleep(2)
        connection.request("GET", "/metrics")
        assert connection.getresponse().read() == b"up 1\n"
        assert connection.sock is used
        assert 2 < seconds_until_dropped([used]) < 4


@pytest.mark.parametrize("extra", [b"", b"Connection: close\r\n"])
def test_slow_readers_are_dropped(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    extra: bytes,
) -> None:
    """A response that nobody takes is given up, whether or not the connection was to be kept."""
    server = start(exposition=FixedExposition(b"x" * LARGE), limits=Limits(response=1))
    client = connect(server, REQUEST.removesuffix(b"\r\n") + extra + b"\r\n", receive_buffer=4096)
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    assert 0.5 < seconds_until_dropped([client]) < 4


def test_unread_responses_are_few(start: Callable[..., WebServer], connect: Callable[..., socket.socket]) -> None:
    """Beyond their number the oldest are dropped at once: each holds what was given to its socket in memory."""
    server = start(exposition=FixedExposition(b"x" * LARGE), limits=Limits(unread=2))
    clients = [connect(server, REQUEST, receive_buffer=4096) for _ in range(5)]
    deadline = time.monotonic() + 5
    while sum(map(is_dropped, clients)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.7)  # a sweep later it is still
    assert sum(map(is_dropped, clients)) == 3


def test_fifty_scrapers_at_once(start: Callable[..., WebServer], connect: Callable[..., socket.socket]) -> None:
    """Everyone gets all of it, though nobody takes it as fast as it is given."""
    piece, pieces = b"x" * 65536, LARGE // 4 // 65536
    server = start(exposition=FixedExposition(piece, pieces))
    request = REQUEST.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
    clients = [connect(server, request, receive_buffer=4096) for _ in range(50)]
    for client in clients:
        assert client.recv(15, socket.MSG_PEEK) == b"HTTP/1.1 200 OK"
    for client in clients:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024 * 1024)
        with client.makefile("rb") as answer:
            assert answer.read().endswith(b"\r\n\r\n" + piece * pieces)


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20_000,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    caplog: pytest.LogCaptureFixture,
    said: bytes,
) -> None:
    """A TLS greeting, a giant head or a missing Host get 400 and a closed connection, and leave no trace in the log."""
    client = connect(start(), said)
    answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"X-Content-Type-Options: nosniff\r\n" in answer
    assert not caplog.records


@pytest.mark.parametrize("wait_for_answer", [True, False])
def test_broken_bodies_end_quietly(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    caplog: pytest.LogCaptureFixture,
    wait_for_answer: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Garbage where the rest of a body should be ends the connection and nothing else, answered or not."""
    caplog.set_level(logging.INFO)
    server = start()
    head = b"GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    client = connect(server, head if wait_for_answer else head + b"nonsense\r\n")
    if wait_for_answer:
        assert client.recv(12) == b"HTTP/1.1 413"
        client.sendall(b"nonsense\r\n")
    seconds_until_dropped([client])
    assert scrape(server) == b"up 1\n"
    assert not caplog.records


def tls_context(certificates: Path) -> ssl.SSLContext:
    """Give the server's TLS settings."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    return context


def half_a_handshake(client: ssl.SSLContext) -> bytes:
    """Give the greeting of a client that says no more."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        client.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def test_thousand_tls_clients_that_stall(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    certificates: Path,
) -> None:
    """In whichever stage: they stop no scrape, are dropped in time, and take no more places than others."""
    ours, theirs = tls_context(certificates), trusting(certificates)
    server = start(ssl_context=ours, limits=Limits(request=3, response=3, idle=3))
    greeting = half_a_handshake(theirs)
    clients = [connect(server, said) for said in (b"", b"\x16\x03\x01", greeting[:100], greeting) for _ in range(250)]
    with ExitStack() as opened:
        for said in (HALF_A_REQUEST, REQUEST):
            client = opened.enter_context(theirs.wrap_socket(connect(server), server_hostname="localhost"))
            client.sendall(said)
            clients.append(client)
        began = time.monotonic()
        assert [scrape(server, tls=theirs) for _ in range(3)] == [b"up 1\n"] * 3
        assert time.monotonic() - began < 5
        seconds_until_dropped(clients, timeout=25)
    assert scrape(server, tls=theirs) == b"up 1\n"


@pytest.mark.parametrize("size", [1000, 100_000])
def test_tls_scrapes_are_prompt(start: Callable[..., WebServer], certificates: Path, size: int) -> None:
    """No piece of an answer waits for the client to acknowledge the one before, which takes 40 ms."""
    ours, theirs = tls_context(certificates), trusting(certificates)
    server = start(ssl_context=ours, exposition=FixedExposition(b"x" * size))
    latencies = []
    for _ in range(7):
        began = time.monotonic()
        assert len(scrape(server, tls=theirs)) == size
        latencies.append(time.monotonic() - began)
    assert min(latencies) < 0.03


def test_tls_slow_readers_are_dropped(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    certificates: Path,
) -> None:
    """Encryption does not hide who does not read, nor delays the stop."""
    ours, theirs = tls_context(certificates), trusting(certificates)
    server = start(ssl_context=ours, exposition=FixedExposition(b"x" * LARGE), limits=Limits(response=1))
    with theirs.wrap_socket(connect(server, receive_buffer=4096), server_hostname="localhost") as client:
        client.sendall(REQUEST)
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        assert 0.5 < seconds_until_dropped([client]) < 4


def test_stop_with_tls_clients_at_every_stage(
    start: Callable[..., WebServer],
    connect: Callable[..., socket.socket],
    certificates: Path,
) -> None:
    """Handshakes under way and clients that do not say goodbye delay nothing."""
    ours, theirs = tls_context(certificates), trusting(certificates)
    server = start(ssl_context=ours)
    clients = [connect(server) for _ in range(3)]
    with theirs.wrap_socket(connect(server), server_hostname="localhost") as idle:
        idle.sendall(REQUEST)
        assert idle.recv(15) == b"HTTP/1.1 200 OK"
        assert seconds_to_stop(server) < 2
        seconds_until_dropped([*clients, idle])
