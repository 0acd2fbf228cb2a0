"""Metrics of the exporter itself: its requests to AWS, its polls, its targets and its configuration."""

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
from exporter.metrics.callback_counter import CallbackCounter
from exporter.metrics.events import EventMetrics
from exporter.metrics.http import HttpMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.domain.model import Location

_REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class Telemetry:
    """The metrics of the exporter itself, in a registry of their own."""

    def __init__(
        self,
        revision: str = "unknown",
        *,
        process_metrics: bool = True,
        log_lines_dropped: Callable[[], int] = lambda: 0,
    ) -> None:
        """Register all metrics; `process_metrics` adds those of the process and the interpreter."""
        # A _created series is an ordinary extra series to Prometheus. A histogram would have one for each label set.
        disable_created_metrics()
        self.registry = CollectorRegistry()
        if process_metrics:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
            GCCollector(registry=self.registry)
        self.http = HttpMetrics(self.registry)
        self.events = EventMetrics(self.registry)
        self._target_up = self._gauge(
            "qbusiness_exporter_target_up",
            "1 if AWS responded to the last request to the target and authorized it, else 0, also before the first.",
            ("target",),
        )
        self._target_info = self._gauge(
            "qbusiness_exporter_target_info",
            "Always 1; service, account and region of the target. The account is empty until it is known.",
            ("target", "service", "aws_account_id", "aws_region"),
        )
        self._target_owned = self._gauge(
            "qbusiness_exporter_target_owned",
            "1 on the replica that polls the target, 0 on the others.",
            ("target",),
        )
        self._requests = Counter(
            "qbusiness_exporter_api_requests",
            "HTTP requests to AWS including SDK retries, by HTTP status, AWS error code, timeout or connection.",
            ("target", "operation", "code"),
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "qbusiness_exporter_api_request_duration_seconds",
            "Duration of HTTP requests to AWS.",
            ("operation",),
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._credential_failures = Counter(
            "qbusiness_exporter_credential_failures",
            "Failed attempts to obtain credentials for the target, and credentials that AWS refused.",
            ("target",),
            registry=self.registry,
        )
        self._polls = Counter(
            "qbusiness_exporter_polls",
            "Polls of data sources, including failed polls.",
            ("target",),
            registry=self.registry,
        )
        self._poll_failures = Counter(
            "qbusiness_exporter_poll_failures",
            "Failed polls of data sources, by reason.",
            ("target", "reason"),
            registry=self.registry,
        )
        self._lag = self._gauge(
            "qbusiness_exporter_poll_lag_seconds",
            "Delay of the most overdue poll of the target.",
            ("target",),
        )
        self._rate_limit = self._gauge(
            "qbusiness_exporter_api_request_rate_limit",
            "Current limit of requests per second to the target: requests_per_second, or less after throttling.",
            ("target",),
        )
        self._sources = self._gauge("qbusiness_exporter_data_sources", "Data sources watched.", ("target",))
        self._discovered = self._gauge(
            "qbusiness_exporter_discovered_data_sources",
            "Data sources in the listings of the last complete discovery run, before filters on data sources.",
            ("target",),
        )
        self._discovery_success = self._gauge(
            "qbusiness_exporter_discovery_success",
            "1 if the last discovery run of the target succeeded in every part, 0 if data sources may be missing.",
            ("target",),
        )
        self._discovery_time = self._gauge(
            "qbusiness_exporter_last_successful_discovery_timestamp_seconds",
            "Time of the last discovery run of the target that succeeded in every part, on AWS's clock.",
            ("target",),
        )
        self._target_gauges = (
            self._target_up,
            self._target_info,
            self._lag,
            self._rate_limit,
            self._sources,
            self._discovered,
            self._discovery_success,
            self._discovery_time,
        )
        self._target_counters = (self._requests, self._credential_failures, self._polls, self._poll_failures)
        self._owned_targets: set[str] = set()
        self._target_info_labels: dict[str, tuple[str, ...]] = {}
        self._state_up = self._gauge(
            "qbusiness_exporter_state_up",
            "1 while the state can be read and written where it is configured, else 0, also until it is opened.",
        )
        self._state_write_failures = Counter(
            "qbusiness_exporter_state_write_failures",
            "Failed writes of the state. Values are kept in memory until a write succeeds.",
            registry=self.registry,
        )
        self.registry.register(
            CallbackCounter(
                "qbusiness_exporter_log_lines_dropped",
                "Lines of the log that could not be written: stderr was closed or full, or its reader did not read.",
                log_lines_dropped,
            )
        )
        self._reload_success = self._gauge(
            "qbusiness_exporter_config_last_reload_successful",
            "1 if the last load of the configuration, and of the web configuration, succeeded, else 0.",
        )
        self._rejected: set[str] = set()
        self._reload_time = self._gauge(
            "qbusiness_exporter_config_last_reload_success_timestamp_seconds",
            "Time of the last successful load of the configuration.",
        )
        self.config_is_current, self.config_loaded_at = True, 0.0
        self._gauge(
            "qbusiness_exporter_build_info",
            "Always 1; version and revision of the exporter, and version of Python.",
            ("version", "revision", "pythonversion"),
        ).labels(__version__, revision, platform.python_version()).set(1)

    def add_target(
        self,
        target: str,
        lag: Callable[[], float],
        sources: Callable[[], int],
        discovered: Callable[[], int],
        rate_limit: Callable[[], float],
    ) -> None:
        """Start a target's counters and its `up` at 0, and call the functions at each scrape."""
        self._target_up.labels(target)
        self._credential_failures.labels(target)
        self._polls.labels(target)
        for reason in Reason:
            self._poll_failures.labels(target, reason)
        self._lag.labels(target).set_function(lag)
        self._sources.labels(target).set_function(sources)
        self._discovered.labels(target).set_function(discovered)
        self._rate_limit.labels(target).set_function(rate_limit)

    def set_targets_owned(self, owned: Mapping[str, bool]) -> None:
        """Set which of the configured targets this process polls, in place of the previous ones."""
        for target in self._owned_targets - owned.keys():
            self._target_owned.remove(target)
        for target, is_owned in owned.items():
            self._target_owned.labels(target).set(is_owned)
        self._owned_targets = set(owned)

    def remove_target(self, target: str) -> None:
        """Remove all series of a target."""
        self._target_info_labels.pop(target, None)
        self.events.remove_target(target)
        for metric in (*self._target_gauges, *self._target_counters):
            metric.remove_by_labels({"target": target})

    def count_request(self, target: str, operation: str, code: str, seconds: float) -> None:
        """Count one HTTP request to AWS."""
        self._requests.labels(target, operation, code).inc()
        self._request_seconds.labels(operation).observe(seconds)

    def count_credential_failure(self, target: str) -> None:
        """Count an attempt to obtain credentials that failed, or credentials that AWS refused."""
        self._credential_failures.labels(target).inc()

    def set_target_up(self, target: str, *, up: bool) -> None:
        """Set whether AWS responded to the last request to a target and authorized it."""
        self._target_up.labels(target).set(up)

    def set_target_info(self, target: str, service: str, location: Location) -> None:
        """Set the service and the location of a target, in place of the previous ones."""
        labels = (target, service, location.account, location.region)
        before = self._target_info_labels.get(target, labels)
        if before != labels:
            self._target_info.remove(*before)
        self._target_info_labels[target] = labels
        self._target_info.labels(*labels).set(1)

    def set_discovery(self, target: str, succeeded: Callable[[], bool], time: float | None) -> None:
        """Set the result of a discovery run; `time` is None if a part of it failed."""
        self._discovery_success.labels(target).set_function(succeeded)
        if time is not None:
            self._discovery_time.labels(target).set(time)

    def remove_discovery(self, target: str) -> None:
        """Remove the result of the discovery of a target, as before its first run."""
        for metric in (self._discovery_success, self._discovery_time):
            metric.remove_by_labels({"target": target})

    def poll_counts(self, target: str) -> tuple[int, int]:
        """Return the number of polls of a target, and how many of them failed."""
        return _total(self._polls, target), _total(self._poll_failures, target)

    def count_poll(self, target: str) -> None:
        """Count a poll."""
        self._polls.labels(target).inc()

    def count_poll_failure(self, target: str, reason: Reason) -> None:
        """Count a failed poll."""
        self._poll_failures.labels(target, reason).inc()

    def watch_state(self, is_up: Callable[[], bool]) -> None:
        """Call a function at each scrape that returns whether the open state can be written; it must not block."""
        self._state_up.set_function(is_up)

    def count_state_write_failure(self) -> None:
        """Count a failed write of the state."""
        self._state_write_failures.inc()

    def config_loaded(self, time: float, part: str = "configuration") -> None:
        """Record a successful load of the configuration, or of another part that can be reloaded."""
        self._rejected.discard(part)
        self._reload_success.set(not self._rejected)
        self._reload_time.set(time)
        self.config_is_current, self.config_loaded_at = not self._rejected, time

    def config_rejected(self, part: str = "configuration") -> None:
        """Record that a part has problems, and that the previous version of it is still used."""
        self._rejected.add(part)
        self._reload_success.set(0)
        self.config_is_current = False

    def _gauge(self, name: str, documentation: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, documentation, labels, registry=self.registry)


def _total(counter: Counter, target: str) -> int:
    samples = (sample for metric in counter.collect() for sample in metric.samples)
    return sum(int(sample.value) for sample in samples if sample.labels["target"] == target)
