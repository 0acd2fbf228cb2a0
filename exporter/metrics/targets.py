"""Metrics of the targets: their requests to AWS, their polls and their discovery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from exporter.errors import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from exporter.domain.model import Location

_REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class TargetMetrics:
    """Counts the requests and polls of each target, and reports whether AWS responds to it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._up = Gauge(
            "qbusiness_exporter_target_up",
            "1 if AWS responded to the last request to the target and authorized it, else 0. It is 0 before the first "
            "request. For an hour after a poll, the permission to poll decides, and those for other operations do not. "
            "A failure of one data source does not count if a request for another one succeeds after it.",
            ("target",),
            registry=registry,
        )
        self._info = Gauge(
            "qbusiness_exporter_target_info",
            "Always 1; service, account and region of the target. The account is empty until it is known.",
            ("target", "service", "aws_account_id", "aws_region"),
            registry=registry,
        )
        self._requests = Counter(
            "qbusiness_exporter_api_requests",
            "HTTP requests to AWS, including SDK retries. code: HTTP status, AWS error code, timeout or connection.",
            ("target", "operation", "code"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            "qbusiness_exporter_api_request_duration_seconds",
            "Duration of HTTP requests to AWS.",
            ("operation",),
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self._credential_failures = Counter(
            "qbusiness_exporter_credential_failures",
            "Failed attempts to obtain credentials for the target, and credentials that AWS refused.",
            ("target",),
            registry=registry,
        )
        self._polls = Counter(
            "qbusiness_exporter_polls",
            "Polls of data sources, including failed polls.",
            ("target",),
            registry=registry,
        )
        self._poll_failures = Counter(
            "qbusiness_exporter_poll_failures",
            "Failed polls of data sources, by reason.",
            ("target", "reason"),
            registry=registry,
        )
        self._lag = Gauge(
            "qbusiness_exporter_poll_lag_seconds",
            "Delay of the most overdue poll of the target.",
            ("target",),
            registry=registry,
        )
        self._rate_limit = Gauge(
            "qbusiness_exporter_api_request_rate_limit",
            "Current limit of requests per second to the target: requests_per_second, or less after throttling.",
            ("target",),
            registry=registry,
        )
        self._sources = Gauge(
            "qbusiness_exporter_data_sources", "Data sources watched.", ("target",), registry=registry
        )
        self._discovered = Gauge(
            "qbusiness_exporter_discovered_data_sources",
            "Data sources found by the last complete discovery run, before filters on data sources.",
            ("target",),
            registry=registry,
        )
        self._discovery_success = Gauge(
            "qbusiness_exporter_discovery_success",
            "1 if the last discovery run of the target succeeded completely, else 0. It is 0 before the first run.",
            ("target",),
            registry=registry,
        )
        self._discovery_time = Gauge(
            "qbusiness_exporter_last_successful_discovery_timestamp_seconds",
            "Time of the last discovery run of the target that succeeded completely, on AWS's clock.",
            ("target",),
            registry=registry,
        )
        self._gauges = (
            self._up,
            self._info,
            self._lag,
            self._rate_limit,
            self._sources,
            self._discovered,
            self._discovery_success,
            self._discovery_time,
        )
        self._counters = (self._requests, self._credential_failures, self._polls, self._poll_failures)
        self._info_labels: dict[str, tuple[str, ...]] = {}

    def add(
        self,
        target: str,
        lag: Callable[[], float],
        sources: Callable[[], int],
        discovered: Callable[[], int],
        rate_limit: Callable[[], float],
    ) -> None:
        """Start a target's counters and its `up` at 0, and call the functions at each scrape."""
        self._up.labels(target)
        self._credential_failures.labels(target)
        self._polls.labels(target)
        for reason in Reason:
            self._poll_failures.labels(target, reason)
        self._lag.labels(target).set_function(lag)
        self._sources.labels(target).set_function(sources)
        self._discovered.labels(target).set_function(discovered)
        self._rate_limit.labels(target).set_function(rate_limit)

    def remove(self, target: str) -> None:
        """Remove all series of a target."""
        self._info_labels.pop(target, None)
        for metric in (*self._gauges, *self._counters):
            metric.remove_by_labels({"target": target})

    def count_request(self, target: str, operation: str, code: str, seconds: float) -> None:
        """Count one HTTP request to AWS."""
        self._requests.labels(target, operation, code).inc()
        self._request_seconds.labels(operation).observe(seconds)

    def count_credential_failure(self, target: str) -> None:
        """Count an attempt to obtain credentials that failed, or credentials that AWS refused."""
        self._credential_failures.labels(target).inc()

    def set_up(self, target: str, *, up: bool) -> None:
        """Set whether AWS responded to the last request to a target and authorized it."""
        self._up.labels(target).set(up)

    def set_info(self, target: str, service: str, location: Location) -> None:
        """Set the service and the location of a target, in place of the previous ones."""
        labels = (target, service, location.account, location.region)
        before = self._info_labels.get(target, labels)
        if before != labels:
            self._info.remove(*before)
        self._info_labels[target] = labels
        self._info.labels(*labels).set(1)

    def set_discovery(self, target: str, succeeded: Callable[[], bool], last_success: float | None) -> None:
        """Call `succeeded` at each scrape for the result of the last discovery run, and set the last success."""
        self._discovery_success.labels(target).set_function(succeeded)
        if last_success is None:
            self._discovery_time.remove_by_labels({"target": target})
        else:
            self._discovery_time.labels(target).set(last_success)

    def poll_counts(self, target: str) -> tuple[int, int]:
        """Return the number of polls of a target, and how many of them failed."""
        return _total(self._polls, target), _total(self._poll_failures, target)

    def count_poll(self, target: str) -> None:
        """Count a poll."""
        self._polls.labels(target).inc()

    def count_poll_failure(self, target: str, reason: Reason) -> None:
        """Count a failed poll."""
        self._poll_failures.labels(target, reason).inc()


def _total(counter: Counter, target: str) -> int:
    samples = (sample for metric in counter.collect() for sample in metric.samples)
    return sum(int(sample.value) for sample in samples if sample.labels["target"] == target)
