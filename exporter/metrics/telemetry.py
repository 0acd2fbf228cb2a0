"""The exporter's own instrumentation: what it asks of AWS, what came of it, and how it is doing."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from exporter import __version__
from exporter.errors import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.model import Location

_REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class Telemetry:
    """The metrics of the exporter itself, in a registry of their own."""

    def __init__(self, revision: str = "unknown", *, of_process: bool = True) -> None:
        """`of_process` adds what prometheus_client tells of the process and its interpreter."""
        # Prometheus keeps _created series as plain extra series: three for every histogram, of no use to anyone.
        disable_created_metrics()
        self.registry = CollectorRegistry()
        if of_process:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
            GCCollector(registry=self.registry)
        self._target_up = self._gauge(
            "qbusiness_target_up",
            "1 if AWS accepted the last request to the target.",
            ("target", "aws_account_id", "aws_region"),
        )
        self._requests = Counter(
            "qbusiness_exporter_api_requests",
            "HTTP attempts made to AWS, SDK retries included, by HTTP status, AWS error code, timeout or connection.",
            ("target", "operation", "code"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "qbusiness_exporter_api_request_duration_seconds",
            "How long an HTTP attempt to AWS took.",
            ("operation",),
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._polls = Counter(
            "qbusiness_exporter_polls",
            "Polls of a data source, failed ones included.",
            ("target",),
            registry=self.registry,
        )
        self._poll_failures = Counter(
            "qbusiness_exporter_poll_failures",
            "Polls of a data source that failed, by reason.",
            ("target", "reason"),
            registry=self.registry,
        )
        self._lag = self._gauge(
            "qbusiness_exporter_poll_lag_seconds",
            "How late the most overdue data source of the target is.",
            ("target",),
        )
        self._rate = self._gauge(
            "qbusiness_exporter_api_request_rate_limit",
            "Current limit of requests per second to the target: requests_per_second, or less after throttling.",
            ("target",),
        )
        self._sources = self._gauge("qbusiness_exporter_data_sources", "Data sources watched.", ("target",))
        self._discovery_ok = self._gauge(
            "qbusiness_exporter_discovery_success",
            "1 when the last discovery of the target worked in every part; 0 when sources may be missing from it.",
            ("target",),
        )
        self._discovery_time = self._gauge(
            "qbusiness_exporter_last_successful_discovery_timestamp_seconds",
            "When a discovery of the target last worked in every part, by AWS's clock.",
            ("target",),
        )
        self._of_targets = (
            self._target_up,
            self._lag,
            self._rate,
            self._sources,
            self._discovery_ok,
            self._discovery_time,
        )
        self._locations: dict[str, Location] = {}
        self._state_failures = Counter(
            "qbusiness_exporter_state_write_failures",
            "Writes of the state file that failed; figures are kept in memory until one works.",
            registry=self.registry,
        )
        self._reload_ok = self._gauge(
            "qbusiness_exporter_config_last_reload_successful",
            "1 when the configuration, and the web config, were last read without a problem.",
        )
        self._refused: set[str] = set()
        self._reload_time = self._gauge(
            "qbusiness_exporter_config_last_reload_success_timestamp_seconds",
            "When the configuration was last read without a problem.",
        )
        self.config_is_current, self.config_loaded_at = True, 0.0
        self._gauge(
            "qbusiness_exporter_build_info",
            "Always 1; which build this is.",
            ("version", "revision", "pythonversion"),
        ).labels(__version__, revision, platform.python_version()).set(1)

    def watch_target(
        self, target: str, lag: Callable[[], float], sources: Callable[[], int], rate: Callable[[], float]
    ) -> None:
        """Give a target's series their zeros, and have its lag, sources and rate asked for at each scrape."""
        self._polls.labels(target)
        for reason in Reason:
            self._poll_failures.labels(target, reason)
        self._lag.labels(target).set_function(lag)
        self._sources.labels(target).set_function(sources)
        self._rate.labels(target).set_function(rate)

    def unwatch_target(self, target: str) -> None:
        """Show a target's series no more."""
        self._locations.pop(target, None)
        for metric in (*self._of_targets, self._requests, self._polls, self._poll_failures):
            metric.remove_by_labels({"target": target})

    def attempt(self, target: str, operation: str, code: str, seconds: float) -> None:
        """Count one HTTP attempt to AWS."""
        self._requests.labels(target, operation, code).inc()
        self._request_seconds.labels(operation).observe(seconds)

    def target_up(self, target: str, location: Location, *, up: bool) -> None:
        """Note whether the last request to a target was answered and authorised."""
        before = self._locations.get(target, location)
        if before != location:
            self._target_up.remove(target, before.account, before.region)
        self._locations[target] = location
        self._target_up.labels(target, location.account, location.region).set(up)

    def discovered(self, target: str, succeeded: Callable[[], bool], when: float | None) -> None:
        """Note how a discovery went; `when` it worked in every part, None where it did not."""
        self._discovery_ok.labels(target).set_function(succeeded)
        if when is not None:
            self._discovery_time.labels(target).set(when)

    def polls(self, target: str) -> tuple[int, int]:
        """Give how many polls of a target there were, and how many of them failed."""
        return _total(self._polls, target), _total(self._poll_failures, target)

    def poll(self, target: str) -> None:
        """Count a poll."""
        self._polls.labels(target).inc()

    def poll_failed(self, target: str, reason: Reason) -> None:
        """Count a failed poll."""
        self._poll_failures.labels(target, reason).inc()

    def state_write_failed(self) -> None:
        """Count a write of the state file that failed."""
        self._state_failures.inc()

    def config_loaded(self, when: float, part: str = "configuration") -> None:
        """Note that the configuration, or another part of what is read again, was read without a problem."""
        self._refused.discard(part)
        self._reload_ok.set(not self._refused)
        self._reload_time.set(when)
        self.config_is_current, self.config_loaded_at = True, when

    def config_refused(self, part: str = "configuration") -> None:
        """Note that it could not be read, and the former is still in force."""
        self._refused.add(part)
        self._reload_ok.set(0)
        self.config_is_current = False

    def _gauge(self, name: str, documentation: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, documentation, labels, registry=self.registry)


def _total(counter: Counter, target: str) -> int:
    samples = (sample for metric in counter.collect() for sample in metric.samples)
    return sum(int(sample.value) for sample in samples if sample.labels["target"] == target)
