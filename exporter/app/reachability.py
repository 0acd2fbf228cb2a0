"""Whether AWS responds to the requests of a target and authorizes them, for telemetry and the status page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.metrics.targets import TargetMetrics


class Reachability:
    """The outcome of the target's last request; None before the first."""

    def __init__(self, target: str, metrics: TargetMetrics) -> None:
        self._target = target
        self._metrics = metrics
        self._has_lost_credentials = False
        self.is_up: bool | None = None
        self.last_error = ""

    def resume(self, before: Reachability) -> None:
        """Continue with the outcome of the last request of the target that this one replaces."""
        self.is_up, self.last_error = before.is_up, before.last_error

    def report_up(self) -> None:
        """Record that AWS responded to a request and authorized it."""
        self._report(is_up=True, error="")

    def report_down(self, error: str) -> None:
        """Record why a request was denied, or failed without a response."""
        self._report(is_up=False, error=error)

    def credentials_lost(self, error: str) -> None:
        """Record that there are no valid credentials, so that no request can be sent until they are recovered."""
        self._has_lost_credentials = True
        self._update(is_up=False, error=error)

    def credentials_failed(self, error: str) -> None:
        """Record the reason of another failed attempt. It changes nothing while earlier credentials are valid."""
        if self._has_lost_credentials:
            self._update(is_up=False, error=error)

    def credentials_recovered(self) -> None:
        """Record that there are valid credentials. The next response decides whether the target is up."""
        self._has_lost_credentials = False

    def publish(self) -> None:
        """Set the gauge of the target; it is 0 until the outcome of a request is known."""
        self._metrics.set_up(self._target, up=bool(self.is_up))

    def _report(self, *, is_up: bool, error: str) -> None:
        # Without credentials, this is about a request that was sent before they were lost.
        if not self._has_lost_credentials:
            self._update(is_up=is_up, error=error)

    def _update(self, *, is_up: bool, error: str) -> None:
        self.is_up, self.last_error = is_up, error
        self.publish()
