"""The check of the Host header against DNS rebinding, over real HTTP."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from exporter.web.public_address import PublicAddress
from exporter.web.server.server import WebServer
from tests.support.harness import TIMEOUT
from tests.support.web_app import HttpResponse, make_app

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTERNAL = "https://ops.example.com:8443/qb"


@pytest.fixture(scope="module")
def server() -> Iterator[WebServer]:
    """Serve the application below its external URL."""
    web = WebServer(make_app(address=PublicAddress.of(EXTERNAL, None), reload=list), ["127.0.0.1:0"])
    web.start()
    yield web
    web.stop()


def request(server: WebServer, host: str, path: str = "/qb/", method: str = "GET") -> HttpResponse:
    """Send a request with this Host header."""
    with closing(HTTPConnection(*server.addresses[0], timeout=TIMEOUT)) as connection:
        connection.request(method, path, headers={"Host": host})
        return HttpResponse.read(connection.getresponse())


@pytest.mark.parametrize(
    "host",
    [
        "ops.example.com",
        "OPS.example.com:8443",
        "10.0.0.7:10142",
        "[fd00::1]:10142",
        "localhost:10142",
        "qbusiness-exporter:10142",
        "qbusiness-exporter.monitoring.svc",
        "qbusiness-exporter.monitoring.svc.cluster.local:10142",
        "exporter.eu.internal",
    ],
)
def test_own_and_private_names_are_accepted(server: WebServer, host: str) -> None:
    """Proxies that do not forward the Host header send the name of the service."""
    assert request(server, host).status == 200


@pytest.mark.parametrize(
    "host", ["rebind.attacker.example", "ops.example.com.attacker.example", "[attacker.example", "1.2.3.4.xyz"]
)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/qb/"), ("GET", "/qb/api/v1/data-sources"), ("POST", "/qb/-/reload")]
)
def test_public_names_are_refused(server: WebServer, host: str, method: str, path: str) -> None:
    """The response says how a proxy must forward requests."""
    response = request(server, host, path, method)
    assert response.status == 421
    assert "--web.external-url has the host ops.example.com" in response.text


@pytest.mark.parametrize("path", ["/qb/metrics", "/qb/-/healthy", "/qb/-/ready"])
def test_scrapes_and_probes_have_any_name(server: WebServer, path: str) -> None:
    """Prometheus and load balancers use names that the exporter cannot know."""
    assert request(server, "exporter.corp.example.org", path).status == 200


def test_without_an_external_url_no_name_is_refused() -> None:
    """The exporter does not know its own name."""
    web = WebServer(make_app(), ["127.0.0.1:0"])
    web.start()
    try:
        assert request(web, "exporter.corp.example.org", "/").status == 200
    finally:
        web.stop()
