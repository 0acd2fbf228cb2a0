"""Clients of the servers: one that scrapes, and many that stall."""

from __future__ import annotations

import select
import socket
import ssl
import time
from contextlib import suppress
from typing import Self

from benchmarks.servers.candidates import HOST

TIMEOUT = 10.0  # seconds for a scrape, as in Prometheus by default
CONNECT_SECONDS = 5.0  # for all stalled clients together
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF_REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Half: "
_BUFFER = bytearray(1 << 20)


class ScrapeClient:
    """A persistent connection for scrapes, as Prometheus has one."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, encoding: str = "gzip") -> None:
        """Connect, with TLS if a context is passed."""
        connection = socket.create_connection((HOST, port), TIMEOUT)
        self.socket = tls.wrap_socket(connection, server_hostname="localhost") if tls else connection
        header = f"\r\nAccept-Encoding: {encoding}\r\n\r\n".encode()
        self._request = REQUEST.removesuffix(b"\r\n\r\n") + header

    def scrape(self) -> int:
        """Read a whole response and return the length of its body; raise OSError if it is not complete."""
        self.socket.sendall(self._request)
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._read(65536)
        head, _, start = head.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(head.partition(b"\r\n")[0].decode("latin-1"))
        length = _content_length(head)
        missing = length - len(start)
        while missing > 0:
            if not (count := self.socket.recv_into(_BUFFER, min(missing, len(_BUFFER)))):
                raise ConnectionError("the response is incomplete")
            missing -= count
        return length

    def _read(self, size: int) -> bytes:
        if not (received := self.socket.recv(size)):
            raise ConnectionError("the connection was closed without a response")
        return received

    def __enter__(self) -> Self:
        """Return the scraper."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.socket.close()


def scrape_once(port: int, tls: ssl.SSLContext | None = None) -> float:
    """Scrape on a new connection; return the seconds from connecting to the last byte."""
    started = time.perf_counter()
    with ScrapeClient(port, tls) as scraper:
        scraper.scrape()
    return time.perf_counter() - started


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ConnectionError("the response has no Content-Length")


class StalledClients:
    """Clients that connect at the same time, send the same few bytes, and read nothing."""

    def __init__(self, port: int, number: int, sent: bytes = b"") -> None:
        """Connect. Clients that are not accepted in time keep trying."""
        self.sockets: list[socket.socket] = []
        waiting = {}
        poll = select.poll()
        for _ in range(number):
            client = socket.socket()
            client.setblocking(False)  # noqa: FBT003 (the interface of socket)
            client.connect_ex((HOST, port))
            self.sockets.append(client)
            waiting[client.fileno()] = client
            poll.register(client, select.POLLOUT)
        deadline = time.monotonic() + CONNECT_SECONDS
        while waiting and time.monotonic() < deadline:
            for descriptor, _ in poll.poll(100):
                poll.unregister(descriptor)
                with suppress(OSError):  # the server may have reset it
                    waiting.pop(descriptor).send(sent)

    def send_byte(self) -> None:
        """Send one more byte on each connection."""
        for client in self.sockets:
            with suppress(OSError):
                client.send(b"x")

    def count_open(self) -> int:
        """Count the connections that the server has not ended, without reading from them."""
        poll = select.poll()
        for client in self.sockets:
            poll.register(client, select.POLLRDHUP)
        return len(self.sockets) - len(poll.poll(0))

    def __enter__(self) -> Self:
        """Return the clients."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        for client in self.sockets:
            client.close()


def half_client_hello() -> bytes:
    """Return the first half of a TLS ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        untrusting().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    hello = outgoing.read()
    return hello[: len(hello) // 2]


def untrusting() -> ssl.SSLContext:
    """Return the settings of a TLS client that accepts any certificate."""
    return ssl._create_unverified_context()  # noqa: S323, SLF001 (self-signed, on the loopback interface)
