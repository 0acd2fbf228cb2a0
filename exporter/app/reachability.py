"""Whether AWS responds to the requests of a target and authorizes them, for telemetry and the status page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.metrics.telemetry import Telemetry


class Reachability:
    """The outcome of the target's last request; None before the first."""

    def __init__(self, target: str, telemetry: Telemetry, before: Reachability | None) -> None:
        """Continue with the reachability `before`, if this target replaces another."""
        self._target = target
        self._telemetry = telemetry
        self.is_up: bool | None = before.is_up if before else None
        self.last_error = ""

    def report_up(self) -> None:
        """Record that AWS responded to a request and authorized it."""
        self._update(is_up=True, error="")

    def report_down(self, error: str) -> None:
        """Record why a request was denied, or failed without a response."""
        self._update(is_up=False, error=error)

    def publish(self) -> None:
        """Set the gauge of the target; it is 0 until the outcome of a request is known."""
        self._telemetry.set_target_up(self._target, up=bool(self.is_up))

    def _update(self, *, is_up: bool, error: str) -> None:
        self.last_error = error
        if is_up is not self.is_up:
            self.is_up = is_up
            self.publish()
