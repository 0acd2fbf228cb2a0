"""The web application: metrics, the status page and its facts as JSON, health and readiness.

It knows nothing of polling or of AWS: what it serves is handed to it as a `Site`.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.errors import StartupError
from exporter.web.basic_auth import BasicAuthMiddleware
from exporter.web.middleware import SecurityMiddleware
from exporter.web.page import StatusPage
from exporter.web.responses import ChunkedResponse
from exporter.web.status import page_endpoint, sources_endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request

    from exporter.status import StatusDocument
    from exporter.web.web_config import WebConfigReloader

    Endpoint = Callable[[Request], Awaitable[Response]]

STATUS_PATH = "/"
SOURCES_PATH = "/api/v1/data-sources"
HEALTHY_PATH = "/-/healthy"
READY_PATH = "/-/ready"
RELOAD_PATH = "/-/reload"

# Renders share one interpreter lock: more of them at once are not faster, and each holds a whole exposition in memory.
RENDERS_AT_ONCE = 4


class MetricsRenderer(Protocol):
    """Whatever can render the metrics; called from several threads at once."""

    def render(self, accept: str, accept_encoding: str) -> tuple[Sequence[bytes], Mapping[str, str]]:
        """Give the body in pieces, and its Content-Type and Content-Encoding headers, as the client asked for it."""


@dataclass(frozen=True, slots=True)
class AppServices:
    """What the application serves.

    `healthy` and `ready` give None when fine, else the reason in words; `reload` gives the problems that kept the
    former configuration in force; `access` is the web config, None where everybody may ask.
    """

    exposition: MetricsRenderer
    overview: StatusDocument
    healthy: Callable[[], str | None]
    ready: Callable[[], str | None]
    telemetry_path: str = "/metrics"
    reload: Callable[[], Sequence[str]] | None = None
    web_config: WebConfigReloader | None = None


def create_app(site: AppServices) -> Starlette:
    """Build the ASGI application that serves a site."""
    _check_telemetry_path(site.telemetry_path)
    links = {"Metrics": site.telemetry_path, "JSON": SOURCES_PATH, "Healthy": HEALTHY_PATH, "Ready": READY_PATH}
    endpoints = {
        STATUS_PATH: page_endpoint(site.overview, StatusPage(links)),
        SOURCES_PATH: sources_endpoint(site.overview),
        HEALTHY_PATH: _verdict_endpoint(site.healthy, "Healthy"),
        READY_PATH: _verdict_endpoint(site.ready, "Ready"),
        site.telemetry_path: _metrics_endpoint(site.exposition),
    }
    routes = [Route(path, endpoint, methods=["GET"]) for path, endpoint in endpoints.items()]
    if site.reload:
        routes.append(Route(RELOAD_PATH, _reload_endpoint(site.reload), methods=["POST", "PUT"]))
    middleware = [Middleware(SecurityMiddleware, site.web_config)]
    if site.web_config:
        middleware.append(Middleware(BasicAuthMiddleware, site.web_config, {HEALTHY_PATH, READY_PATH}))
    app = Starlette(routes=routes, middleware=middleware)
    app.router.redirect_slashes = False
    return app


def _check_telemetry_path(path: str) -> None:
    if not path.startswith("/") or set(path) & set("?#{}"):
        raise StartupError(f"--web.telemetry-path {path!r} must begin with / and have none of the characters ? # {{ }}")
    if path in {SOURCES_PATH, HEALTHY_PATH, READY_PATH, RELOAD_PATH}:
        raise StartupError(f"--web.telemetry-path {path!r} is taken; choose another, such as /metrics")


def _metrics_endpoint(exposition: MetricsRenderer) -> Endpoint:
    limiter = CapacityLimiter(RENDERS_AT_ONCE)

    # A large fleet's first render takes tens of milliseconds: in a thread it delays nobody else's handshake, health
    # check or scrape. One that never ends must not hold up a stop: abandon.
    async def metrics(request: Request) -> Response:
        pieces, headers = await to_thread.run_sync(
            exposition.render,
            ", ".join(request.headers.getlist("accept")),
            ", ".join(request.headers.getlist("accept-encoding")),
            abandon_on_cancel=True,
            limiter=limiter,
        )
        return ChunkedResponse(pieces, headers)

    return metrics


def _verdict_endpoint(reason_against: Callable[[], str | None], word: str) -> Endpoint:
    async def verdict(_request: Request) -> Response:
        reason = reason_against()
        if reason is None:
            return PlainTextResponse(f"{word}\n")
        return PlainTextResponse(f"{reason}\n", HTTPStatus.SERVICE_UNAVAILABLE)

    return verdict


def _reload_endpoint(reload: Callable[[], Sequence[str]]) -> Endpoint:
    limiter = CapacityLimiter(1)  # anyone may ask, and reading a large configuration is work

    async def reloading(_request: Request) -> Response:
        problems = await to_thread.run_sync(reload, limiter=limiter)
        if not problems:
            return PlainTextResponse("Configuration reloaded.\n")
        text = "The configuration was not reloaded, and the former is still in force:\n"
        return PlainTextResponse(text + "".join(f"{line}\n" for line in problems), HTTPStatus.INTERNAL_SERVER_ERROR)

    return reloading
