"""The web application over real HTTP."""

from __future__ import annotations

import http.client
import re
import socket
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from exporter.errors import StartupError
from exporter.web.middleware import SecurityMiddleware
from exporter.web.server.server import WebServer
from tests.support.harness import TIMEOUT
from tests.support.web_app import METRICS, PLAIN_TEXT, FakeExposition, HttpResponse, make_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

PATHS = ["/", "/api/v1/data-sources", "/runbooks/", "/metrics", "/-/healthy", "/-/ready"]


@dataclass
class AppClient:
    """A client that sends each request on a new connection."""

    address: tuple[str, int]

    def __call__(
        self, path: str, method: str = "GET", headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> HttpResponse:
        """Send one request with exactly these headers."""
        with closing(http.client.HTTPConnection(*self.address, timeout=TIMEOUT)) as connection:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body or None)
            return HttpResponse.read(connection.getresponse())


@pytest.fixture
def serve_app() -> Iterator[Callable[[ASGIApp], AppClient]]:
    """Return a function that starts a server; stop the servers after the test."""
    servers = []

    def start(app: ASGIApp) -> AppClient:
        server = WebServer(app, ["127.0.0.1:0"])
        server.start()
        servers.append(server)
        return AppClient(server.addresses[0])

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def serve(serve_app: Callable[[ASGIApp], AppClient]) -> Callable[..., AppClient]:
    """Return a function that serves the application."""

    def start(exposition: FakeExposition | None = None, **services: Any) -> AppClient:
        return serve_app(make_app(exposition, **services))

    return start


def test_metrics_are_what_the_exposition_renders(serve: Callable[..., AppClient]) -> None:
    """The body and the headers are not modified."""
    gzip = FakeExposition([b"\x1f\x8b..."], {"Content-Type": PLAIN_TEXT, "Content-Encoding": "gzip"})
    response = serve(gzip)("/metrics")
    assert (response.status, response.body) == (200, b"\x1f\x8b...")
    assert response.headers["Content-Type"] == PLAIN_TEXT
    assert response.headers["Content-Encoding"] == "gzip"


def test_metrics_are_negotiated_by_the_exposition(serve: Callable[..., AppClient]) -> None:
    """The exposition receives what the client accepts, even from several header lines."""
    exposition = FakeExposition()
    request = serve(exposition)
    request("/metrics")
    request("/metrics", headers=[("Accept", "a/b;q=0.5"), ("Accept", "c/d"), ("Accept-Encoding", "gzip")])
    assert exposition.accepted == [("", ""), ("a/b;q=0.5, c/d", "gzip")]


def test_a_query_string_does_not_change_a_scrape(serve: Callable[..., AppClient]) -> None:
    """The metrics are the same with unknown parameters."""
    assert serve()("/metrics?debug=1").body == METRICS


@pytest.mark.parametrize("path", PATHS)
def test_head_returns_the_headers_of_get(serve: Callable[..., AppClient], path: str) -> None:
    """The response to HEAD is that to GET without a body."""
    request = serve()
    got, head = request(path), request(path, "HEAD")
    assert head.status == got.status == 200
    assert head.body == b""
    assert head.headers["Content-Length"] == str(len(got.body))
    assert head.headers["Content-Type"] == got.headers["Content-Type"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_other_methods_are_rejected(serve: Callable[..., AppClient], path: str, method: str) -> None:
    """The 405 response lists the allowed methods."""
    response = serve()(path, method)
    assert response.status == 405
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/-/healthy/", "//", "/-/reload", "/../metrics", "*"])
def test_unknown_paths_are_not_found(serve: Callable[..., AppClient], path: str) -> None:
    """404 is plain text, and a trailing slash does not redirect."""
    response = serve()(path)
    assert response.status == 404
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_a_healthy_and_ready_exporter_returns_200(serve: Callable[..., AppClient]) -> None:
    """Each body is one word."""
    request = serve()
    assert [request(path).body for path in ("/-/healthy", "/-/ready")] == [b"Healthy\n", b"Ready\n"]


def test_an_unhealthy_or_unready_exporter_returns_503(serve: Callable[..., AppClient]) -> None:
    """Each response has its own, current reason."""
    reasons = iter([None, "the poll loop has stalled"])
    request = serve(unhealthy=lambda: next(reasons), unready=lambda: "no poll has ended yet")
    assert request("/-/healthy").status == 200
    healthy, ready = request("/-/healthy"), request("/-/ready")
    assert (healthy.status, healthy.body) == (503, b"the poll loop has stalled\n")
    assert (ready.status, ready.body) == (503, b"no poll has ended yet\n")


def test_metrics_have_the_configured_path(serve: Callable[..., AppClient]) -> None:
    """The link of the status page is relative, for proxies with a prefix; the default path is not found."""
    request = serve(telemetry_path="/custom metrics/é&1")
    assert request("/custom%20metrics/%C3%A9&1").body == METRICS
    assert request("/metrics").status == 404
    assert b'href="./custom%20metrics/%C3%A9%261"' in request("/").body
    assert request("/custom%20metrics/%C3%A9%261").status == 200


def test_metrics_can_replace_the_status_page(serve: Callable[..., AppClient]) -> None:
    """With a telemetry path of /, there is no status page."""
    assert serve(telemetry_path="/")("/").body == METRICS


@pytest.mark.parametrize(
    "path", ["", "metrics", "/a?b", "/a#b", "/{name}", "/-/healthy", "/-/ready", "/api/v1/data-sources", "/runbooks/x"]
)
def test_invalid_telemetry_paths_are_rejected(path: str) -> None:
    """The message names the flag and the path."""
    with pytest.raises(StartupError, match=re.escape(f"--web.telemetry-path {path!r}")):
        make_app(telemetry_path=path)


@pytest.mark.parametrize(("path", "method"), [*((path, "GET") for path in PATHS), ("/nothing", "GET"), ("/", "PUT")])
def test_every_response_has_the_common_headers(serve: Callable[..., AppClient], path: str, method: str) -> None:
    """Responses forbid content sniffing and do not name the server."""
    response = serve()(path, method)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in response.headers
    assert "Date" in response.headers


def test_a_failed_rendering_returns_500(serve: Callable[..., AppClient]) -> None:
    """The response is short, the log has the traceback, and the next request succeeds."""
    request = serve(FakeExposition(error=RuntimeError("secret")))
    with capture_logs() as logs:
        response = request("/metrics")
    assert response.status == 500
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.body == b"Internal error: see the log of the exporter.\n"
    assert [(log["event"], log["path"], log["log_level"]) for log in logs] == [("request failed", "/metrics", "error")]
    assert logs[0]["exc_info"]
    assert request("/-/healthy").status == 200


CHUNKED = ("Transfer-Encoding", "chunked")


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (("Content-Length", "4097"), b""),
        (("Content-Length", "9" * 20), b""),
        (CHUNKED, b"1001\r\n" + b"x" * 4097),
        (CHUNKED, b"800\r\n" + b"x" * 2048 + b"\r\n801\r\n" + b"x" * 2049),
    ],
)
def test_large_bodies_are_rejected_unread(
    serve: Callable[..., AppClient], header: tuple[str, str], body: bytes
) -> None:
    """The server sends 413 before it reads a body above the limit to its end, and closes the connection."""
    response = serve(reload=pytest.fail)("/-/reload", "POST", [header], body)
    assert response.status == 413
    assert response.headers["Connection"] == "close"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (("Content-Length", "4"), b"body"),
        (CHUNKED, b"0\r\n\r\n"),
        (CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\n\r\n"),
    ],
)
def test_small_bodies_are_ignored(serve: Callable[..., AppClient], header: tuple[str, str], body: bytes) -> None:
    """A scrape or a reload succeeds. Clients such as `curl -T -` send an empty body in chunks."""
    client = serve(reload=list)
    assert client("/metrics", "GET", [header], body).body == METRICS
    assert client("/-/reload", "POST", [header], body).status == 200


def test_a_client_that_leaves_before_the_end_of_its_body_reloads_nothing(serve: Callable[..., AppClient]) -> None:
    """The request is incomplete."""
    reloads = []

    def reload() -> list[str]:
        reloads.append(True)
        return []

    client = serve(reload=reload)
    with closing(http.client.HTTPConnection(*client.address, timeout=TIMEOUT)) as connection:
        connection.putrequest("POST", "/-/reload")
        connection.putheader(*CHUNKED)
        connection.endheaders(b"1\r\nx\r\n")
        connection.sock.shutdown(socket.SHUT_WR)
        assert connection.sock.recv(1) == b""
    assert client("/-/reload", "POST", [CHUNKED], b"0\r\n\r\n").status == 200
    assert reloads == [True]


def test_a_slow_rendering_does_not_delay_other_requests(serve: Callable[..., AppClient]) -> None:
    """The server responds to a health check while it renders a scrape."""
    gate = threading.Event()
    exposition = FakeExposition(gate=gate)
    request = serve(exposition)
    responses: list[HttpResponse] = []
    scrape = threading.Thread(target=lambda: responses.append(request("/metrics")))
    scrape.start()
    try:
        assert request("/-/healthy").body == b"Healthy\n"
        assert not responses
    finally:
        gate.set()
        scrape.join()
    assert responses[0].body == METRICS


def test_a_partial_response_does_not_look_complete(
    serve_app: Callable[[ASGIApp], AppClient],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A failure after the first bytes breaks the connection."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("broken")

    with pytest.raises(http.client.IncompleteRead), capture_logs() as logs:
        serve_app(SecurityMiddleware(app))("/")
    assert [log["event"] for log in logs] == ["request failed"]
    assert caplog.messages == ["Exception in ASGI application\n"]


@pytest.mark.parametrize("path", ["/nothing", "/runbooks/QBusinessNoSuchAlert"])
def test_an_unknown_path_is_a_page_for_browsers(serve: Callable[..., AppClient], path: str) -> None:
    """It links to the status page. Programs get a line of text."""
    request = serve()
    page = request(path, headers=[("Accept", "text/html,application/xhtml+xml")])
    assert page.status == request(path).status == 404
    assert f"no page {path}." in page.text
    assert 'href="/"' in page.text
    assert request(path).text == "Not Found"


def test_a_request_with_an_absolute_url_is_served(serve: Callable[..., AppClient]) -> None:
    """Forward proxies send such requests, and HTTP/1.1 requires that servers accept them."""
    request = serve()
    assert request("http://exporter.example.com:10142/metrics").body == METRICS
    assert request("HTTPS://exporter.example.com").headers["Content-Type"].startswith("text/html")
    assert request("http://exporter.example.com/metric%73?x=/y").body == METRICS


def test_a_head_that_arrives_in_one_piece_is_limited(serve: Callable[..., AppClient]) -> None:
    """The limit is the same as for a head in several pieces, so that no request holds more memory."""
    request = serve()
    assert request("/metrics", headers=[("X-Padding", "a" * 15_000)]).status == 200
    response = request("/metrics", headers=[("X-Padding", "a" * 17_000)])
    assert (response.status, response.headers["Connection"]) == (431, "close")
