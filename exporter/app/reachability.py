"""Whether AWS responds to the requests of a target and authorizes them, for telemetry and the status page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.metrics.targets import TargetMetrics
    from exporter.runtime import Clock

POLL_VALIDITY = 3600.0  # seconds; twice the longest default of polling.idle_interval


class Reachability:
    """Whether AWS responds to the requests of a target and authorizes them; None before the first request.

    The last request decides, with one exception. Permissions are per operation, and polls are what the target is for.
    So for an hour after a poll, AWS's authorization of that poll decides, and that of other operations does not.
    Without this rule, a target whose discovery is denied would be down between any two polls, although each poll
    succeeds. And a target whose polls are denied would be up after each run of discovery.

    Lost credentials and requests without a response are about the whole target, whatever the operation is.
    """

    def __init__(self, target: str, metrics: TargetMetrics, clock: Clock) -> None:
        self._target = target
        self._metrics = metrics
        self._clock = clock
        self._has_lost_credentials = False
        self._polls_authorized: bool | None = None
        self._polled_at = 0.0
        self.is_up: bool | None = None
        self.last_error = ""

    def resume(self, before: Reachability) -> None:
        """Continue with the outcome of the last request of the target that this one replaces."""
        self.is_up, self.last_error = before.is_up, before.last_error
        self._polls_authorized, self._polled_at = before._polls_authorized, before._polled_at

    def report_up(self) -> None:
        """Record that AWS responded to a request and authorized it, unless polls are denied."""
        if self._recent_polls() is not False:
            self._report(is_up=True, error="")

    def report_down(self, error: str) -> None:
        """Record why a request failed without a response, or why AWS rejects the credentials."""
        self._report(is_up=False, error=error)

    def report_denied(self, error: str) -> None:
        """Record which operation AWS denied, unless polls are authorized."""
        if self._recent_polls() is not True:
            self._report(is_up=False, error=error)

    def report_poll(self, *, is_authorized: bool) -> None:
        """Record whether AWS authorized a poll, before the result of its request is reported."""
        self._polls_authorized, self._polled_at = is_authorized, self._clock.monotonic()

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

    def _recent_polls(self) -> bool | None:
        """Return whether AWS authorized the last poll; None if that was too long ago, or never."""
        is_valid = self._clock.monotonic() - self._polled_at < POLL_VALIDITY
        return self._polls_authorized if is_valid else None

    def _report(self, *, is_up: bool, error: str) -> None:
        # Without credentials, this is about a request that was sent before they were lost.
        if not self._has_lost_credentials:
            self._update(is_up=is_up, error=error)

    def _update(self, *, is_up: bool, error: str) -> None:
        self.is_up, self.last_error = is_up, error
        self.publish()
