"""Whether a target responds to requests and authorises them, for telemetry and the status page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.metrics.telemetry import Telemetry
    from exporter.target.location import TargetLocation


class Reachability:
    """The outcome of the target's last request; None before the first."""

    def __init__(
        self, target: str, telemetry: Telemetry, location: TargetLocation, before: Reachability | None
    ) -> None:
        """Continue from the target that this one replaces, if there is one."""
        self._target = target
        self._telemetry = telemetry
        self._location = location
        self.is_up: bool | None = before.is_up if before else None
        self.last_error = ""

    def report_up(self) -> None:
        """Record that a request was answered and authorised."""
        self._update(is_up=True, error="")

    def report_down(self, error: str) -> None:
        """Record that a request was refused, or not answered, and why."""
        self._update(is_up=False, error=error)

    def publish(self) -> None:
        """Set the target's gauge, once both the location and an outcome are known."""
        if self._location.current and self.is_up is not None:
            self._telemetry.set_target_up(self._target, self._location.current, up=self.is_up)

    def _update(self, *, is_up: bool, error: str) -> None:
        self.last_error = error
        if is_up is not self.is_up:
            self.is_up = is_up
            self.publish()
