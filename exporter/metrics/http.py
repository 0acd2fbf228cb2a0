"""Metrics of the HTTP requests that the exporter serves, named like the corresponding metrics of Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import CollectorRegistry

_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SUCCESS = "200"


class HttpMetrics:
    """Counts requests by handler and status code, and observes the durations of their responses."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "qbusiness_exporter_http_requests",
            "HTTP requests to the exporter, by handler and status code of the response.",
            ("handler", "code"),
            registry=registry,
        )
        self._seconds = Histogram(
            "qbusiness_exporter_http_request_duration_seconds",
            "Time from the headers of an HTTP request to the end of its response.",
            ("handler",),
            buckets=_BUCKETS,
            registry=registry,
        )

    def add_handlers(self, handlers: Iterable[str]) -> None:
        """Start the counters of successful requests at 0."""
        for handler in handlers:
            self._requests.labels(handler, _SUCCESS)

    def count(self, handler: str, code: int) -> None:
        """Count a request without a duration, because it was refused before its end."""
        self._requests.labels(handler, str(code)).inc()

    def observe(self, handler: str, code: int, seconds: float) -> None:
        """Count a request, and observe its duration."""
        self.count(handler, code)
        self._seconds.labels(handler).observe(seconds)
