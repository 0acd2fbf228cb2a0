"""A check of the Host header against DNS rebinding.

An attacker's page can make the browser of a visitor send requests to the exporter. The attacker's host name resolves to
the address of the exporter, so for the browser, page and exporter have the same origin. The page could then read the
exporter's responses in a private network. The Host header of such requests is the attacker's public name.

The check needs the exporter's own public name, so it works only with --web.external-url. It accepts this name, IP
addresses, and names that cannot be registered: names without a dot and names in private domains. Example: with
--web.external-url=https://ops.example.com/qb it accepts ops.example.com, 10.0.0.7:10142, qbusiness-exporter:10142 and
qbusiness-exporter.monitoring.svc, and refuses rebind.attacker.example.
"""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

PRIVATE_DOMAINS = ("svc", "local", "internal", "localhost")
"""Top-level domains that are reserved for private networks, and the one for services in Kubernetes."""


class HostCheckMiddleware:
    """Refuses requests whose Host header is a public name that is not the exporter's."""

    def __init__(self, app: ASGIApp, external_url: str, unchecked_paths: Collection[str]) -> None:
        """Check requests to all paths except `unchecked_paths`, which clients request by any name."""
        self._app = app
        self._host = urlsplit(external_url).hostname
        self._unchecked_paths = unchecked_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        is_unchecked = scope["type"] != "http" or scope["path"] in self._unchecked_paths
        if is_unchecked or self._is_own(_host_name(Headers(scope=scope).get("host", ""))):
            await self._app(scope, receive, send)
        else:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = (
            f"Unknown Host header: --web.external-url has the host {self._host}. "
            "If a reverse proxy sent this request, let it forward the Host header of the user.\n"
        )
        await PlainTextResponse(text, HTTPStatus.MISDIRECTED_REQUEST)(scope, receive, send)

    def _is_own(self, name: str) -> bool:
        return name == self._host or _is_private(name)


def _host_name(header: str) -> str:
    """Return the host of a Host header without its port, in lower case."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return "invalid.example"


def _is_private(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:
        labels = name.rstrip(".").split(".")
        return len(labels) == 1 or labels[-1] in PRIVATE_DOMAINS
