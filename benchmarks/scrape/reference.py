"""The HTTP server of prometheus_client with the metrics of a file: `reference.py FILE` prints its port."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.openmetrics.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric


class ParsedMetrics:
    """A collector of metrics that are parsed once. Only their rendering is repeated for each scrape."""

    def __init__(self, text: str) -> None:
        self._families = list(text_string_to_metric_families(text))

    def collect(self) -> Iterable[Metric]:
        """Return all families."""
        return self._families

    def describe(self) -> Iterable[Metric]:
        """Return nothing, because there is no other collector with conflicting names."""
        return []


def main() -> None:
    """Serve until the process is terminated."""
    registry = CollectorRegistry()
    registry.register(ParsedMetrics(Path(sys.argv[1]).read_text()))
    server, thread = start_http_server(0, "127.0.0.1", registry)
    print(server.server_port, flush=True)
    thread.join()


if __name__ == "__main__":
    main()
