"""Records the events of a target: in telemetry, in the log, and in the poll intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from exporter.events.receiver import EventObserver, EventResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.errors import ProviderError
    from exporter.metrics.events import EventMetrics
    from exporter.target.reporting_gate import ReportingGate

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class IdleIntervals:
    """Seconds between two polls of an idle source: while events can be read, and otherwise."""

    with_events: float
    without_events: float


class EventRecorder(EventObserver):
    """Counts messages, and logs once that the queue cannot be read and that it can be read again.

    Idle sources have the longer interval only while the queue can be read. Otherwise, they have the usual one.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what it connects)
        self,
        target: str,
        metrics: EventMetrics,
        gate: ReportingGate,
        intervals: IdleIntervals,
        use_idle_interval: Callable[[float], None],
        before: EventRecorder | None,
    ) -> None:
        """Create the recorder; `before` is the recorder of a replaced target with the same queue."""
        self._target = target
        self._metrics = metrics
        self._gate = gate
        self._intervals = intervals
        self._use_idle_interval = use_idle_interval
        self.is_up: bool = before.is_up if before else False
        self.last_error: str = before.last_error if before else ""
        """Why the queue cannot be read; empty while it can, and before the first attempt."""

    @property
    def idle_interval(self) -> float:
        """The current interval between two polls of an idle source."""
        return self._intervals.with_events if self.is_up else self._intervals.without_events

    def publish(self) -> None:
        """Start the series of the target."""
        self._metrics.add_target(self._target, EventResult, up=self.is_up)

    def received(self, result: EventResult) -> None:
        """Count a message."""
        self._gate.report(self._metrics.count, self._target, result)

    def queue_up(self) -> None:
        """Record that the queue was read, and log it after a failure."""
        if self.last_error:
            logger.info("events queue works again", target=self._target)
        self._record("", is_up=True)

    def queue_down(self, error: ProviderError) -> None:
        """Record that the queue could not be read, and log it once."""
        if not self.last_error:
            logger.warning(
                "events queue failing, polling at the interval without events", target=self._target, error=str(error)
            )
        self._record(str(error), is_up=False)

    def _record(self, error: str, *, is_up: bool) -> None:
        has_changed, self.is_up, self.last_error = is_up != self.is_up, is_up, error
        if has_changed:
            self._gate.report(self._metrics.set_up, self._target, up=is_up)
            self._use_idle_interval(self.idle_interval)
