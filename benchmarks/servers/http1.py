"""HTTP/1.1 in its odd cases, and what a server speaks beside it."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from benchmarks.servers.clients import HOST
from benchmarks.servers.contenders import CONTENDERS
from benchmarks.servers.process import running
from benchmarks.servers.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT = 0.7  # seconds without a byte, after which a server has said all that it will
GET = b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /-/healthy HTTP/1.1\r\nHost: a\r\n"
CASES = {
    "two pipelined requests": GET + b"\r\n" + GET + b"\r\n",
    "HEAD": b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/1.0": b"GET /-/healthy HTTP/1.0\r\n\r\n",
    "a head of 20 kB": GET + b"X: " + b"x" * 20_000,
    "no Host": b"GET /-/healthy HTTP/1.1\r\n\r\n",
    "Expect: 100-continue, body of 9 bytes held back": GET + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    "chunked body": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked body, broken": POST + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    "Content-Length of 1 GB": POST + b"Content-Length: 1000000000\r\n\r\n",
    "both lengths": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a TLS ClientHello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "Upgrade: h2c": GET + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: \r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "Upgrade: websocket": GET + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
}
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


def rows() -> Iterator[Row]:
    """Send every case to every server."""
    answers: dict[str, dict[str, str]] = {title: {} for title in CASES}
    for name in CONTENDERS:
        with running(name, page="small") as server:
            for title, sent in CASES.items():
                answers[title][name] = _ask(server.port, sent)
    for title, values in answers.items():
        yield Row(title, values)


def _ask(port: int, sent: bytes) -> str:
    received, is_closed = b"", False
    with socket.create_connection((HOST, port), WAIT) as client, suppress(TimeoutError):
        try:
            client.sendall(sent)
            while chunk := client.recv(65536):
                received += chunk
            is_closed = True
        except ConnectionError:
            is_closed = True
    return _describe(received, is_closed=is_closed, is_head=sent.startswith(b"HEAD"))


def _describe(received: bytes, *, is_closed: bool, is_head: bool) -> str:
    said = [status.decode() for status in _STATUS.findall(received)]
    if is_head and received.partition(b"\r\n\r\n")[2]:
        said.append("with a body")
    if not said and received:
        said.append("speaks HTTP/2" if received[3:4] == b"\x04" else "other bytes")
    if b"\r\n\r\n\x00\x00" in received:
        said.append("speaks HTTP/2")
    return ", ".join([*(said or ["nothing"]), *(["closed"] if is_closed else [])])
