"""Addresses, their error messages, and the rotation of certificates."""

from __future__ import annotations

import socket
import ssl
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.servers.certificates import issue
from benchmarks.servers.clients import Scraper, untrusting
from benchmarks.servers.contenders import CONTENDERS, UVICORN
from benchmarks.servers.process import NotStartedError, running
from benchmarks.servers.table import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROTATION_SECONDS = 5.0
TWO = ("127.0.0.1:0", "127.0.0.1:0")


def rows() -> Iterator[Row]:
    """Try every case with every server."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        in_use = f"127.0.0.1:{taken.getsockname()[1]}"
        cases: dict[str, Callable[[str], str]] = {
            "two addresses, each with port 0": lambda name: _families(name, ["127.0.0.1"], *TWO),
            "`:0` reaches": lambda name: _families(name, ["127.0.0.1", "::1"], ":0"),
            "`[::]:0` reaches": lambda name: _families(name, ["127.0.0.1", "::1"], "[::]:0"),
            "an address in use": lambda name: _message(name, in_use),
            "an address of another host": lambda name: _message(name, "192.0.2.1:0"),
            "a name that does not resolve": lambda name: _message(name, "no-such-host.invalid:0"),
            "a port that is not a number": lambda name: _message(name, "127.0.0.1:http") if name != UVICORN else "",
            "a new certificate and key in the same files": _rotated,
        }
        for title, case in cases.items():
            yield Row(title, {name: case(name) for name in CONTENDERS})


def _families(name: str, hosts: list[str], *addresses: str) -> str:
    if name == UVICORN and len(addresses) > 1:
        return "one address only"
    try:
        with running(name, *addresses, page="small") as server:
            reached = [f"{host}" for port in server.ports for host in hosts if _answers(host, port)]
    except NotStartedError as error:
        return f"not started: {_quoted(str(error))}"
    return ", ".join(reached)


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), 2) as client:
            client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return client.recv(15) == b"HTTP/1.1 200 OK" or client.recv(1) != b""
    except OSError:
        return False


def _message(name: str, address: str) -> str:
    try:
        with running(name, address, page="small") as server:
            return f"started, on port {server.port}"
    except NotStartedError as error:
        return _quoted(str(error))


def _quoted(text: str) -> str:
    return f"`{text.replace('|', '/')}`"


def _rotated(name: str) -> str:
    with tempfile.TemporaryDirectory() as temporary:
        folder = issue(Path(temporary))
        with running(name, page="small", tls=folder) as server, Scraper(server.port, untrusting()) as kept:
            kept.scrape()
            before = ssl.get_server_certificate(("127.0.0.1", server.port))
            issue(folder)
            deadline = time.monotonic() + ROTATION_SECONDS
            while ssl.get_server_certificate(("127.0.0.1", server.port)) == before:
                if time.monotonic() > deadline:
                    return f"not presented in {ROTATION_SECONDS:.0f} s"
                time.sleep(0.1)
            return f"presented; the connection that was open is {'closed' if _is_closed(kept) else 'kept'}"


def _is_closed(scraper: Scraper) -> bool:
    try:
        scraper.scrape()
    except OSError:
        return True
    return False
