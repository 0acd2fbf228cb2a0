"""A scraper that costs next to nothing itself: it reads a response and throws it away."""

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
_BUFFER = bytearray(1 << 20)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long scrapes took, in milliseconds."""

    median: float
    worst_of_99: float

    def __str__(self) -> str:
        """Give both."""
        return f"{self.median:.1f} / {self.worst_of_99:.1f} ms"

    @classmethod
    def of(cls, seconds: list[float]) -> Latency:
        """Sum up."""
        ordered = sorted(seconds)
        return cls(statistics.median(ordered) * 1000, ordered[int(0.99 * (len(ordered) - 1))] * 1000)


def scrape(port: int, wanted: str, encoding: str, path: str = "/metrics") -> float:
    """Give the seconds from connecting to the last byte."""
    with socket.create_connection(("127.0.0.1", port), 120) as connection:
        began = time.perf_counter()
        connection.sendall(_request(wanted, encoding, path))
        head = connection.recv_into(_BUFFER)
        if not _BUFFER.startswith(b"HTTP/1."):
            raise RuntimeError(bytes(_BUFFER[:head]))
        while connection.recv_into(_BUFFER):
            pass
        return time.perf_counter() - began


def fetch(port: int, wanted: str = "text") -> str:
    """Give the page."""
    with socket.create_connection(("127.0.0.1", port), 120) as connection:
        connection.sendall(_request(wanted, "gzip"))
        received = bytearray()
        while count := connection.recv_into(_BUFFER):
            received += _BUFFER[:count]
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    return (gzip.decompress(body) if re.search(rb"(?i)content-encoding: gzip", head) else body).decode()


def _request(wanted: str, encoding: str, path: str = "/metrics") -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close", f"Accept: {FORMATS[wanted]}"]
    return "\r\n".join([*lines, f"Accept-Encoding: {encoding}", "", ""]).encode()
