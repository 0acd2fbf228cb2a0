"""Metrics of the requests that the exporter serves, over real HTTP."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from exporter.metrics.http import HttpMetrics
from exporter.web.public_address import PublicAddress
from exporter.web.request_metrics import RequestMetricsMiddleware
from exporter.web.site import build_server
from tests.support.harness import TIMEOUT, eventually
from tests.support.web_app import make_services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send


class Site:
    """A served application with the registry of its metrics."""

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry) -> None:
        self.address = address
        self._registry = registry

    def get(self, path: str, **headers: str) -> int:
        """Request a path; return the status code."""
        with closing(HTTPConnection(*self.address, timeout=TIMEOUT)) as connection:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            response.read()
            return response.status

    def send(self, request: bytes) -> bytes:
        """Send bytes, and return what the server sends until it closes the connection."""
        with closing(socket.create_connection(self.address, timeout=TIMEOUT)) as client:
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(65536), b""))

    def count(self, handler: str, code: str) -> float | None:
        """Return the value of the counter, None if there is none."""
        labels = {"handler": handler, "code": code}
        return self._registry.get_sample_value("qbusiness_exporter_http_requests_total", labels)

    def durations(self, handler: str) -> float | None:
        """Return the number of durations that were observed."""
        return self._registry.get_sample_value(
            "qbusiness_exporter_http_request_duration_seconds_count", {"handler": handler}
        )


@contextmanager
def served(**services: Any) -> Iterator[Site]:
    """Serve an application; yield the site."""
    registry = CollectorRegistry()
    web = build_server(make_services(requests=HttpMetrics(registry), **services), ["127.0.0.1:0"])
    web.start()
    try:
        yield Site(web.addresses[0], registry)
    finally:
        web.stop()


def test_requests_are_counted_by_handler_and_code() -> None:
    """Unknown paths have one handler, and so have runbooks, so that clients cannot create series."""
    with served(address=PublicAddress.of("https://ops.example.com/qb", None)) as site:
        assert site.count("/metrics", "200") == 0
        codes = [site.get(path) for path in ("/qb/metrics", "/qb/metrics", "/qb/nothing", "/metrics")]
        site.get("/qb/runbooks/QBusinessSyncFailed")
        site.get("/qb/runbooks/QBusinessNoSuchAlert")
        assert codes == [200, 200, 404, 404]
        eventually(lambda: (site.count("/metrics", "200"), site.durations("/metrics")) == (2, 2))
        eventually(lambda: site.count("other", "404") == 2)
        eventually(lambda: site.count("/runbooks/{name}", "200") == site.count("/runbooks/{name}", "404") == 1)


def test_refused_requests_are_counted() -> None:
    """They have a wrong Host or a head that is too large, or are not HTTP."""
    with served(address=PublicAddress.of("https://ops.example.com", None)) as site:
        assert site.get("/", Host="rebind.attacker.example") == 421
        head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"
        assert site.send(head).startswith(b"HTTP/1.1 4")
        assert site.send(b"not http\r\n\r\n").startswith(b"HTTP/1.1 400")
        eventually(lambda: site.count("/", "421") == site.count("other", "400") == 1)


def test_a_duration_ends_with_the_response() -> None:
    """The time that the client takes to read the body is part of it."""
    times, observed = iter([1.0, 3.5]), []

    class Observer:
        def add_handlers(self, handlers: object) -> None: ...

        def count(self, handler: str, code: int) -> None: ...

        def observe(self, handler: str, code: int, seconds: float) -> None:
            observed.append((handler, code, seconds))

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(_message: object) -> None: ...

    middleware = RequestMetricsMiddleware(app, str.upper, Observer(), lambda: next(times))
    asyncio.run(middleware({"type": "http", "path": "/x"}, None, send))  # type: ignore[arg-type] # receive is not used
    assert observed == [("/X", 200, 2.5)]
