"""Reloads that a page of another site requests in the browser of a visitor."""

from __future__ import annotations

import http.client
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from exporter.web.cross_origin import is_cross_origin
from exporter.web.server.server import WebServer
from tests.support.harness import TIMEOUT
from tests.support.web_app import HttpResponse, make_app

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "exporter.internal:10142"
SAME_ORIGIN = f"http://{HOST}"


@pytest.mark.parametrize(
    "headers",
    [
        {},  # curl
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"origin": SAME_ORIGIN},
        {"origin": f"https://{HOST}"},
        {"sec-fetch-site": "same-origin", "origin": "https://name.at.the.proxy"},
    ],
)
def test_requests_of_the_same_origin_are_accepted(headers: dict[str, str]) -> None:
    """Scripts send no such header. Behind a proxy, the Host header may differ from the origin."""
    assert not is_cross_origin({"host": HOST, **headers})


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "unknown"},
        {"sec-fetch-site": "cross-site", "origin": SAME_ORIGIN},
        {"origin": "https://attacker.example"},
        {"origin": "http://exporter.internal"},
        {"origin": "http://exporter.internal:80"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://[::1"},
    ],
)
def test_requests_of_another_origin_are_refused(headers: dict[str, str]) -> None:
    """Another port is another origin, and a sandboxed page has none."""
    assert is_cross_origin({"host": HOST, **headers})


@pytest.fixture
def reloads() -> list[bool]:
    """Return a list with an entry for each reload."""
    return []


@pytest.fixture
def server(reloads: list[bool]) -> Iterator[WebServer]:
    """Serve an application whose reloads are recorded."""

    def reload() -> list[str]:
        reloads.append(True)
        return []

    server = WebServer(make_app(reload=reload), ["127.0.0.1:0"])
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 200), ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Origin": "https://attacker.example"}, 403)],
)
def test_a_refused_reload_does_nothing(
    server: WebServer, reloads: list[bool], method: str, headers: dict[str, str], status: int
) -> None:
    """The response is 403 with a sentence."""
    with closing(http.client.HTTPConnection(*server.addresses[0], timeout=TIMEOUT)) as connection:
        connection.request(method, "/-/reload", headers=headers)
        response = HttpResponse.read(connection.getresponse())
    assert response.status == status
    assert reloads == ([True] if status == 200 else [])
    if status == 403:
        assert response.text == "Reload refused: a page of another site sent this request.\n"
