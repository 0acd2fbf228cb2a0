"""prometheus_client's own server over the same snapshot: `rival.py PAGE` prints its port."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.openmetrics.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.simple_server import WSGIServer

    from prometheus_client.core import Metric


class Snapshot:
    """A collector of what is already there."""

    def __init__(self, page: str) -> None:
        self._families = list(text_string_to_metric_families(page))

    def collect(self) -> Iterable[Metric]:
        """Give all of it."""
        return self._families

    def describe(self) -> Iterable[Metric]:
        """Give nothing: nobody else registers."""
        return []


def main() -> None:
    """Serve until killed."""
    registry = CollectorRegistry()
    registry.register(Snapshot(Path(sys.argv[1]).read_text()))
    server, thread = start_http_server(0, "127.0.0.1", registry)
    print(_port(server), flush=True)
    thread.join()


def _port(server: WSGIServer) -> int:
    return int(server.server_port)


if __name__ == "__main__":
    main()
