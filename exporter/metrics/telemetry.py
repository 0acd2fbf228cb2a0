"""Metrics of the exporter itself: of its targets, its state, its configuration and its build."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from exporter import __version__
from exporter.metrics.callback_counter import CallbackCounter
from exporter.metrics.events import EventMetrics
from exporter.metrics.http import HttpMetrics
from exporter.metrics.ownership import OwnershipMetrics
from exporter.metrics.targets import TargetMetrics

if TYPE_CHECKING:
    from collections.abc import Callable

_CONFIG = "configuration"


class Telemetry:
    """The metrics of the exporter itself, in their own registry."""

    def __init__(
        self,
        revision: str = "unknown",
        *,
        process_metrics: bool = True,
        log_lines_dropped: Callable[[], int] = lambda: 0,
    ) -> None:
        """Register all metrics; `process_metrics` adds metrics of the process and the interpreter."""
        # Prometheus treats a _created series as an ordinary series. A histogram would have one for each label set.
        disable_created_metrics()
        self.registry = CollectorRegistry()
        if process_metrics:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
            GCCollector(registry=self.registry)
        self.http = HttpMetrics(self.registry)
        self.events = EventMetrics(self.registry)
        self.targets = TargetMetrics(self.registry)
        self.ownership = OwnershipMetrics(self.registry)
        self._state_up = self._gauge(
            "qbusiness_exporter_state_up",
            "1 while the state can be read and written where it is configured, else 0. It is 0 until it is opened.",
        )
        self._state_write_failures = Counter(
            "qbusiness_exporter_state_write_failures",
            "Failed writes of the state. Values are kept in memory until a write succeeds.",
            registry=self.registry,
        )
        self.registry.register(
            CallbackCounter(
                "qbusiness_exporter_log_lines_dropped",
                "Log lines that were dropped because stderr was closed or full, or because its reader was too slow.",
                log_lines_dropped,
            )
        )
        self._rejected = {_CONFIG}
        self._gauge(
            "qbusiness_exporter_config_last_reload_successful",
            "1 if the last load of the configuration, and of the web configuration, succeeded, else 0.",
        ).set_function(lambda: self.config_is_current)
        self._reload_time = self._gauge(
            "qbusiness_exporter_config_last_reload_success_timestamp_seconds",
            "Time of the last successful load of the configuration.",
        )
        self.config_loaded_at = 0.0
        self._gauge(
            "qbusiness_exporter_build_info",
            "Always 1; version and revision of the exporter, and version of Python.",
            ("version", "revision", "pythonversion"),
        ).labels(__version__, revision, platform.python_version()).set(1)

    def remove_target(self, target: str) -> None:
        """Remove all series of a target."""
        self.events.remove_target(target)
        self.targets.remove(target)

    def watch_state(self, is_up: Callable[[], bool]) -> None:
        """Call a function at each scrape that returns whether the open state can be written; it must not block."""
        self._state_up.set_function(is_up)

    def count_state_write_failure(self) -> None:
        """Count a failed write of the state."""
        self._state_write_failures.inc()

    @property
    def config_is_current(self) -> bool:
        """Whether the last load of each file succeeded."""
        return not self._rejected

    def config_loaded(self, time: float, part: str = _CONFIG) -> None:
        """Record a successful load of the configuration or of another file that can be reloaded."""
        self._rejected.discard(part)
        self._reload_time.set(time)
        self.config_loaded_at = time

    def config_rejected(self, part: str = _CONFIG) -> None:
        """Record that a file has problems, so that its previous version is still used."""
        self._rejected.add(part)

    def _gauge(self, name: str, documentation: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, documentation, labels, registry=self.registry)
