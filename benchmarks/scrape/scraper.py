"""A scraper that needs little CPU time, because it reads a response and discards it."""

from __future__ import annotations

import gzip
import re
import socket
import statistics
import time
from dataclasses import dataclass

FORMATS = {
    "text": "text/plain;version=0.0.4",
    "OpenMetrics": "application/openmetrics-text;version=1.0.0",
}
ENCODINGS = ("identity", "gzip")
Kind = tuple[str, str]
"""A format and an encoding."""

KINDS: list[Kind] = [(format_name, encoding) for format_name in FORMATS for encoding in ENCODINGS]
TIMEOUT = 120.0  # seconds
_BUFFER = bytearray(1 << 20)


@dataclass(frozen=True, slots=True)
class Latency:
    """The median and the 99th percentile of some durations, in milliseconds."""

    median: float
    percentile_99: float

    def __str__(self) -> str:
        """Return both values."""
        return f"{self.median:.1f} / {self.percentile_99:.1f} ms"

    @classmethod
    def of(cls, seconds: list[float]) -> Latency:
        """Summarize durations in seconds."""
        ordered = sorted(seconds)
        return cls(statistics.median(ordered) * 1000, ordered[int(0.99 * (len(ordered) - 1))] * 1000)


def scrape(port: int, format_name: str, encoding: str, path: str = "/metrics") -> float:
    """Return the seconds from the request to the last byte of the response."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        started = time.perf_counter()
        connection.sendall(_request(format_name, encoding, path))
        received = connection.recv_into(_BUFFER)
        if not _BUFFER.startswith(b"HTTP/1."):
            raise RuntimeError(bytes(_BUFFER[:received]))
        while connection.recv_into(_BUFFER):
            pass
        return time.perf_counter() - started


def post(port: int, path: str) -> None:
    """Send a POST request; raise RuntimeError unless the response is 200."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
        )
        response = bytearray()
        while received := connection.recv(1 << 16):
            response += received
    if not response.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(response.decode())


def fetch(port: int, format_name: str = "text") -> str:
    """Return the body of a scrape."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        connection.sendall(_request(format_name, "gzip"))
        received = bytearray()
        while count := connection.recv_into(_BUFFER):
            received += _BUFFER[:count]
    headers, _, body = bytes(received).partition(b"\r\n\r\n")
    return (gzip.decompress(body) if re.search(rb"(?i)content-encoding: gzip", headers) else body).decode()


def _request(format_name: str, encoding: str, path: str = "/metrics") -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close", f"Accept: {FORMATS[format_name]}"]
    return "\r\n".join([*lines, f"Accept-Encoding: {encoding}", "", ""]).encode()
