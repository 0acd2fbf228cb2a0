"""The web application: metrics, the status page, the JSON API, health and readiness.

The application does not depend on polling or AWS. It receives everything that it serves as `AppServices`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from exporter.errors import StartupError
from exporter.web.basic_auth import BasicAuthMiddleware
from exporter.web.cross_origin import is_cross_origin
from exporter.web.error_pages import not_found_handler
from exporter.web.host_check import HostCheckMiddleware
from exporter.web.middleware import SecurityMiddleware
from exporter.web.page import ErrorPage, RunbookPages, StatusPage
from exporter.web.public_address import UNKNOWN_ADDRESS
from exporter.web.request_metrics import OTHER, NoObserver, RequestMetricsMiddleware
from exporter.web.request_target import AbsoluteFormMiddleware
from exporter.web.responses import ChunkedResponse
from exporter.web.runbooks import runbook_endpoint
from exporter.web.scrape_priority import ScrapePriorityMiddleware
from exporter.web.status import page_endpoint, sources_endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence

    from starlette.requests import Request

    from exporter.status.document import StatusDocument
    from exporter.web.public_address import PublicAddress
    from exporter.web.request_metrics import HttpObserver
    from exporter.web.web_config import WebConfigReloader

    Endpoint = Callable[[Request], Awaitable[Response]]

STATUS_PATH = "/"
SOURCES_PATH = "/api/v1/data-sources"
RUNBOOKS_PATH = "/runbooks/"
HEALTHY_PATH = "/-/healthy"
READY_PATH = "/-/ready"
RELOAD_PATH = "/-/reload"
CROSS_ORIGIN = "Reload refused: a page of another site sent this request.\n"

# Renderings share one interpreter lock. Running more of them at a time is not faster, and each holds an exposition in
# memory.
CONCURRENT_RENDERINGS = 4


class MetricsRenderer(Protocol):
    """Renders the metrics. Must be thread-safe."""

    def render(self, accept: str, accept_encoding: str) -> tuple[Sequence[bytes], Mapping[str, str]]:
        """Return the body in pieces, and its headers, for the Accept and Accept-Encoding headers of a request."""


@dataclass(frozen=True, slots=True)
class AppServices:
    """Everything that the application serves.

    `unhealthy` and `unready` return a reason, or None. `reload` applies the configuration again, and returns the
    problems if the previous one was kept. `unapplied` returns the part of the configuration that needs a restart, or
    None. Without a `web_config`, requests need no password. `address` has the prefix of all paths.
    """

    exposition: MetricsRenderer
    status: StatusDocument
    unhealthy: Callable[[], str | None]
    unready: Callable[[], str | None]
    telemetry_path: str = "/metrics"
    reload: Callable[[], Sequence[str]] | None = None
    web_config: WebConfigReloader | None = None
    address: PublicAddress = UNKNOWN_ADDRESS
    requests: HttpObserver = field(default_factory=NoObserver)
    unapplied: Callable[[], str | None] = lambda: None


def create_app(services: AppServices) -> Starlette:
    """Return the ASGI application; raise StartupError if the telemetry path is invalid."""
    check_telemetry_path(services.telemetry_path)
    links = {
        "Metrics": services.telemetry_path,
        "JSON": SOURCES_PATH,
        "Runbooks": RUNBOOKS_PATH,
        "Healthy": HEALTHY_PATH,
        "Ready": READY_PATH,
    }
    address = services.address
    runbooks = runbook_endpoint(services.status, RunbookPages(links, address))
    endpoints = {
        STATUS_PATH: page_endpoint(
            services.status,
            StatusPage(links, address.root("./"), address.grafana_url),
            ErrorPage(links, address.root("./")),
        ),
        SOURCES_PATH: sources_endpoint(services.status),
        RUNBOOKS_PATH: runbooks,
        f"{RUNBOOKS_PATH}{{name}}": runbooks,
        HEALTHY_PATH: _health_endpoint(services.unhealthy, "Healthy"),
        READY_PATH: _health_endpoint(services.unready, "Ready"),
        services.telemetry_path: _metrics_endpoint(services.exposition),
    }
    prefix = address.route_prefix
    routes = [Route(f"{prefix}{path}", endpoint, methods=["GET"]) for path, endpoint in endpoints.items()]
    if services.reload:
        routes.append(
            Route(
                f"{prefix}{RELOAD_PATH}", _reload_endpoint(services.reload, services.unapplied), methods=["POST", "PUT"]
            )
        )
    if prefix:
        routes += [Route(path, _redirect_endpoint(f"{prefix}/"), methods=["GET"]) for path in ("/", prefix)]
    error_page = ErrorPage(links, address.root(f"{prefix}/"))
    app = Starlette(
        routes=routes,
        middleware=list(_middleware(services, endpoints)),
        exception_handlers={HTTPStatus.NOT_FOUND: not_found_handler(services.status, error_page)},
    )
    app.router.redirect_slashes = False
    return app


def _middleware(services: AppServices, endpoints: Collection[str]) -> Iterator[Middleware]:
    """Yield the middleware, the outermost first. A request is counted even if a later one refuses it."""
    address = services.address
    handlers = {f"{address.route_prefix}{path}": path for path in (*endpoints, RELOAD_PATH)}
    yield Middleware(AbsoluteFormMiddleware)
    services.requests.add_handlers(handlers.values())
    yield Middleware(RequestMetricsMiddleware, partial(_handler, handlers), services.requests)
    yield Middleware(SecurityMiddleware, services.web_config)
    public = {f"{address.route_prefix}{path}" for path in (HEALTHY_PATH, READY_PATH)}
    scraped = f"{address.route_prefix}{services.telemetry_path}"
    yield Middleware(ScrapePriorityMiddleware, scraped, services.status.priority)
    if address.external_url:
        yield Middleware(HostCheckMiddleware, address.external_url, {*public, scraped})
    if services.web_config:
        yield Middleware(BasicAuthMiddleware, services.web_config, public)


def _handler(handlers: Mapping[str, str], path: str) -> str:
    """Return the handler of a path, the same for all runbooks."""
    runbook = f"{path.rpartition('/')[0]}/{{name}}"
    return handlers.get(path) or handlers.get(runbook, OTHER)


def check_telemetry_path(path: str) -> None:
    """Raise StartupError if the metrics cannot have this path."""
    if not path.startswith("/") or set(path) & set("?#{}"):
        raise StartupError(f"--web.telemetry-path {path!r} must start with / and contain none of ? # {{ }}")
    if path in {SOURCES_PATH, HEALTHY_PATH, READY_PATH, RELOAD_PATH} or path.startswith(RUNBOOKS_PATH):
        raise StartupError(f"--web.telemetry-path {path!r} is reserved; choose another, such as /metrics")


def _metrics_endpoint(exposition: MetricsRenderer) -> Endpoint:
    limiter = CapacityLimiter(CONCURRENT_RENDERINGS)

    # This runs in a thread, because the first rendering for many data sources takes tens of milliseconds, during which
    # the event loop would serve no other client. A rendering that hangs must not delay a stop, so it is abandoned.
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


def _redirect_endpoint(path: str) -> Endpoint:
    async def redirect(request: Request) -> Response:
        query = request.url.query
        return RedirectResponse(f"{path}?{query}" if query else path, HTTPStatus.FOUND)

    return redirect


def _health_endpoint(reason_against: Callable[[], str | None], word: str) -> Endpoint:
    async def health(_request: Request) -> Response:
        reason = reason_against()
        if reason is None:
            return PlainTextResponse(f"{word}\n")
        return PlainTextResponse(f"{reason}\n", HTTPStatus.SERVICE_UNAVAILABLE)

    return health


def _reload_endpoint(reload: Callable[[], Sequence[str]], unapplied: Callable[[], str | None]) -> Endpoint:
    limiter = CapacityLimiter(1)  # every client can request reloads, and reading a large configuration takes CPU time

    async def respond(request: Request) -> Response:
        if is_cross_origin(request.headers):
            return PlainTextResponse(CROSS_ORIGIN, HTTPStatus.FORBIDDEN)
        problems = await to_thread.run_sync(reload, limiter=limiter)
        if not problems:
            lines = ["Configuration reloaded.", *filter(None, [unapplied()])]
            return PlainTextResponse("".join(f"{line}\n" for line in lines))
        lines = ["Configuration reload failed, keeping the previous one:", *problems]
        return PlainTextResponse("".join(f"{line}\n" for line in lines), HTTPStatus.INTERNAL_SERVER_ERROR)

    return respond
