"""Metrics of the events queues: whether they can be read, and the results of their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import CollectorRegistry


class EventMetrics:
    """Counts messages by target and result; only targets with an events queue have series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._received = Counter(
            "qbusiness_exporter_events_received",
            "Messages received from the events queue of the target: used, ignored or invalid.",
            ("target", "result"),
            registry=registry,
        )
        self._up = Gauge(
            "qbusiness_exporter_events_up",
            "1 while the events queue of the target can be read and emptied, else 0. It is 0 before the first attempt.",
            ("target",),
            registry=registry,
        )

    def add_target(self, target: str, results: Iterable[str], *, up: bool) -> None:
        """Start the counters of a target at 0, or continue them."""
        for result in results:
            self._received.labels(target, result)
        self.set_up(target, up=up)

    def remove_target(self, target: str) -> None:
        """Remove all series of a target."""
        for metric in (self._received, self._up):
            metric.remove_by_labels({"target": target})

    def count(self, target: str, result: str) -> None:
        """Count a message."""
        self._received.labels(target, result).inc()

    def set_up(self, target: str, *, up: bool) -> None:
        """Set whether the queue of a target can be read."""
        self._up.labels(target).set(up)
