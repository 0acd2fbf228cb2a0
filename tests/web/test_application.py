"""The web application, asked over real HTTP."""

from __future__ import annotations

import http.client
import re
import threading
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from exporter.errors import StartupError
from exporter.web.application import AppServices, create_app
from exporter.web.middleware import SecurityMiddleware
from exporter.web.server.server import WebServer
from tests.support.status_fixtures import Exhibit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

TEXT = "text/plain; version=0.0.4; charset=utf-8"
PATHS = ["/", "/api/v1/data-sources", "/metrics", "/-/healthy", "/-/ready"]


@dataclass
class FakeExposition:
    """Give a fixed answer, and remember what was asked for."""

    body: bytes = b"up 1\n"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": TEXT})
    asked: list[tuple[str, str]] = field(default_factory=list)
    error: Exception | None = None
    gate: threading.Event | None = None

    def render(self, accept: str, accept_encoding: str) -> tuple[Sequence[bytes], Mapping[str, str]]:
        """Answer, raise, or wait for the gate first."""
        self.asked.append((accept, accept_encoding))
        if self.gate is not None:
            self.gate.wait(10)
        if self.error is not None:
            raise self.error
        return (self.body[:1], b"", self.body[1:]), self.headers


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Client:
    """Ask one server, each time on a new connection."""

    address: tuple[str, int]

    def __call__(
        self, path: str, method: str = "GET", headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Answer:
        """Send one request, with nothing in it but what the caller says."""
        with closing(http.client.HTTPConnection(*self.address, timeout=5)) as connection:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body or None)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())


def fine() -> str | None:
    """Have nothing to complain of."""
    return None


@pytest.fixture
def serve_app() -> Iterator[Callable[[ASGIApp], Client]]:
    """Start servers, and stop them after the test."""
    servers = []

    def start(app: ASGIApp) -> Client:
        server = WebServer(app, ["127.0.0.1:0"])
        server.start()
        servers.append(server)
        return Client(server.addresses[0])

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def serve(serve_app: Callable[[ASGIApp], Client]) -> Callable[..., Client]:
    """Start servers of a site that is fine but for what the test says."""

    def start(
        exposition: FakeExposition | None = None,
        *,
        healthy: Callable[[], str | None] = fine,
        ready: Callable[[], str | None] = fine,
        telemetry_path: str = "/metrics",
    ) -> Client:
        overview = Exhibit.of().overview
        return serve_app(
            create_app(AppServices(exposition or FakeExposition(), overview, healthy, ready, telemetry_path))
        )

    return start


def test_metrics_are_what_the_exposition_renders(serve: Callable[..., Client]) -> None:
    """Body and headers come through as rendered."""
    gzip = FakeExposition(b"\x1f\x8b...", {"Content-Type": TEXT, "Content-Encoding": "gzip"})
    answer = serve(gzip)("/metrics")
    assert (answer.status, answer.body) == (200, b"\x1f\x8b...")
    assert answer.headers["Content-Type"] == TEXT
    assert answer.headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, 1_000_003])
def test_metrics_of_any_size_arrive_whole(serve: Callable[..., Client], size: int) -> None:
    """However the body is cut on its way, it is the one that was rendered."""
    body = bytes(number % 251 for number in range(size))
    answer = serve(FakeExposition(body))("/metrics")
    assert answer.headers["Content-Length"] == str(size)
    assert answer.body == body


def test_metrics_are_negotiated_by_the_exposition(serve: Callable[..., Client]) -> None:
    """It learns what the client accepts, however many header lines that takes."""
    exposition = FakeExposition()
    ask = serve(exposition)
    ask("/metrics")
    ask("/metrics", headers=[("Accept", "a/b;q=0.5"), ("Accept", "c/d"), ("Accept-Encoding", "gzip")])
    assert exposition.asked == [("", ""), ("a/b;q=0.5, c/d", "gzip")]


def test_query_strings_do_not_matter(serve: Callable[..., Client]) -> None:
    """A scrape with parameters is a scrape."""
    assert serve()("/metrics?debug=1").body == b"up 1\n"


@pytest.mark.parametrize("path", PATHS)
def test_head_gives_the_headers_of_get(serve: Callable[..., Client], path: str) -> None:
    """HEAD answers like GET, without a body."""
    ask = serve()
    got, head = ask(path), ask(path, "HEAD")
    assert head.status == got.status == 200
    assert head.body == b""
    assert head.headers["Content-Length"] == str(len(got.body))
    assert head.headers["Content-Type"] == got.headers["Content-Type"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_other_methods_are_refused(serve: Callable[..., Client], path: str, method: str) -> None:
    """405 says which methods would do."""
    answer = serve()(path, method)
    assert answer.status == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/-/healthy/", "//", "/-/reload", "/../metrics", "*"])
def test_unknown_paths_are_not_found(serve: Callable[..., Client], path: str) -> None:
    """404 is plain text, and no slash redirects."""
    answer = serve()(path)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_health_and_readiness_when_fine(serve: Callable[..., Client]) -> None:
    """Both say so in one word."""
    ask = serve()
    assert [ask(path).body for path in ("/-/healthy", "/-/ready")] == [b"Healthy\n", b"Ready\n"]


def test_health_and_readiness_when_not(serve: Callable[..., Client]) -> None:
    """Each gives 503 and its own reason, as it is when asked."""
    reasons = iter([None, "the poll loop has stalled"])
    ask = serve(healthy=lambda: next(reasons), ready=lambda: "no poll has ended yet")
    assert ask("/-/healthy").status == 200
    healthy, ready = ask("/-/healthy"), ask("/-/ready")
    assert (healthy.status, healthy.body) == (503, b"the poll loop has stalled\n")
    assert (ready.status, ready.body) == (503, b"no poll has ended yet\n")


def test_metrics_under_another_path(serve: Callable[..., Client]) -> None:
    """The status page leads there, also behind a proxy's prefix, and the usual path is gone."""
    ask = serve(telemetry_path="/custom metrics/é&1")
    assert ask("/custom%20metrics/%C3%A9&1").body == b"up 1\n"
    assert ask("/metrics").status == 404
    assert b'href="./custom%20metrics/%C3%A9%261"' in ask("/").body
    assert ask("/custom%20metrics/%C3%A9%261").status == 200


def test_metrics_in_place_of_the_status_page(serve: Callable[..., Client]) -> None:
    """The status page gives way to a telemetry path of /."""
    assert serve(telemetry_path="/")("/").body == b"up 1\n"


@pytest.mark.parametrize(
    "path", ["", "metrics", "/a?b", "/a#b", "/{name}", "/-/healthy", "/-/ready", "/api/v1/data-sources"]
)
def test_unusable_telemetry_paths_are_refused(path: str) -> None:
    """The message names the flag and the path."""
    with pytest.raises(StartupError, match=re.escape(f"--web.telemetry-path {path!r}")):
        create_app(AppServices(FakeExposition(), Exhibit.of().overview, fine, fine, path))


@pytest.mark.parametrize(("path", "method"), [*((path, "GET") for path in PATHS), ("/nothing", "GET"), ("/", "PUT")])
def test_common_headers(serve: Callable[..., Client], path: str, method: str) -> None:
    """No answer may be sniffed, and none tells which server gave it."""
    answer = serve()(path, method)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in answer.headers
    assert "Date" in answer.headers


def test_failed_render(serve: Callable[..., Client]) -> None:
    """The client gets a short 500, the log gets the traceback, and the next request is served."""
    ask = serve(FakeExposition(error=RuntimeError("secret")))
    with capture_logs() as logs:
        answer = ask("/metrics")
    assert answer.status == 500
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.body == b"Internal error: the log of the exporter has the details.\n"
    assert [(log["event"], log["path"], log["log_level"]) for log in logs] == [("request failed", "/metrics", "error")]
    assert logs[0]["exc_info"]
    assert ask("/-/healthy").status == 200


@pytest.mark.parametrize(
    "header", [("Content-Length", "4097"), ("Content-Length", "9" * 20), ("Transfer-Encoding", "chunked")]
)
def test_large_bodies_are_refused_unread(serve: Callable[..., Client], header: tuple[str, str]) -> None:
    """413 comes before the body does, and closes the connection."""
    answer = serve()("/metrics", "POST", [header])
    assert answer.status == 413
    assert answer.headers["Connection"] == "close"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_small_bodies_are_ignored(serve: Callable[..., Client]) -> None:
    """A GET with a few bytes of body is a GET."""
    assert serve()("/metrics", "GET", [("Content-Length", "4")], b"body").body == b"up 1\n"


def test_slow_render_delays_nobody_else(serve: Callable[..., Client]) -> None:
    """Health is answered while a scrape is being rendered."""
    gate = threading.Event()
    exposition = FakeExposition(gate=gate)
    ask = serve(exposition)
    answers: list[Answer] = []
    scrape = threading.Thread(target=lambda: answers.append(ask("/metrics")))
    scrape.start()
    try:
        assert ask("/-/healthy").body == b"Healthy\n"
        assert not answers
    finally:
        gate.set()
        scrape.join()
    assert answers[0].body == b"up 1\n"


def test_answer_that_breaks_off_does_not_look_complete(
    serve_app: Callable[[ASGIApp], Client],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A failure after the first bytes ends the connection."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("broken")

    with pytest.raises(http.client.IncompleteRead), capture_logs() as logs:
        serve_app(SecurityMiddleware(app))("/")
    assert [log["event"] for log in logs] == ["request failed"]
    assert caplog.messages == ["Exception in ASGI application\n"]
