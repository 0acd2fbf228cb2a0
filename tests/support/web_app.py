"""The web application with a fake exposition, and responses as the client received them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.web.application import AppServices, create_app
from tests.support.harness import TIMEOUT
from tests.support.status_fixtures import StatusFixture

if TYPE_CHECKING:
    import http.client
    from collections.abc import Mapping, Sequence

    from starlette.applications import Starlette

PLAIN_TEXT = "text/plain; version=0.0.4; charset=utf-8"
METRICS = b"up 1\n"


@dataclass
class FakeExposition:
    """Renders fixed pieces and records what the client accepts; waits for the gate first, or raises an error."""

    pieces: Sequence[bytes] = (METRICS[:1], b"", METRICS[1:])
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": PLAIN_TEXT})
    error: Exception | None = None
    gate: threading.Event | None = None
    accepted: list[tuple[str, str]] = field(default_factory=list)
    rendering: threading.Event = field(default_factory=threading.Event)  # set once a rendering has started

    def render(self, accept: str, accept_encoding: str) -> tuple[Sequence[bytes], Mapping[str, str]]:
        """Return the pieces and the headers."""
        self.accepted.append((accept, accept_encoding))
        self.rendering.set()
        if self.gate is not None:
            self.gate.wait(TIMEOUT)
        if self.error is not None:
            raise self.error
        return self.pieces, self.headers


@dataclass
class HttpResponse:
    """A response that was read completely."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @classmethod
    def read(cls, response: http.client.HTTPResponse) -> HttpResponse:
        """Read a response to its end."""
        return cls(response.status, response.headers, response.read())

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def no_reason() -> str | None:
    """Return no reason against health or readiness."""
    return None


def make_services(exposition: FakeExposition | None = None, **services: Any) -> AppServices:
    """Return the services of the application; by default it is healthy and ready, and has no data sources."""
    defaults: dict[str, Any] = {"status": StatusFixture.of().status, "unhealthy": no_reason, "unready": no_reason}
    return AppServices(exposition or FakeExposition(), **defaults | services)


def make_app(exposition: FakeExposition | None = None, **services: Any) -> Starlette:
    """Return the application of these services."""
    return create_app(make_services(exposition, **services))
