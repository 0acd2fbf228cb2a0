"""The web server with its application."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.web.application import create_app
from exporter.web.request_metrics import OTHER
from exporter.web.server.server import WebServer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

    from exporter.web.application import AppServices


def build_server(services: AppServices, addresses: Sequence[str | socket]) -> WebServer:
    """Return a server of the application; raise StartupError if an address is not valid.

    Invalid HTTP never reaches the application, so the server counts it.
    """
    tls = services.web_config.ssl_context if services.web_config else None
    count_malformed = partial(services.requests.count, OTHER, HTTPStatus.BAD_REQUEST)
    return WebServer(create_app(services), addresses, ssl_context=tls, malformed_request=count_malformed)
