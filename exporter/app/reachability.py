"""Whether AWS responds to the requests of a target and authorizes them, for telemetry and the status page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.metrics.targets import TargetMetrics
    from exporter.runtime import Clock

POLL_VALIDITY = 3600.0  # seconds; twice the longest default of polling.idle_interval


class Reachability:
    """Whether AWS responds to the requests of a target and authorizes them; None before the first request.

    The result of the last request decides, with two exceptions.

    Permissions are per operation, and polls are the most important one. So for an hour after a poll, AWS's
    authorization of that poll decides, and not that of other operations. Without this rule, a target whose discovery is
    denied would be down between any two polls, although each poll succeeds. A target whose polls are denied would be up
    after each discovery run.

    A single data source may fail although the target works: its requests hang, or a policy denies them. So the first
    failure after a response changes nothing, but another source is polled soon. If that fails too, the target is down.
    Further failures of the same source change nothing for an hour. Example: idle sources are polled every 30 minutes,
    and one that hangs is retried every few minutes. Without this rule, the target would be down nearly always. With it,
    the target is down when a second source fails, which takes one more poll.

    If AWS refuses the credentials, the whole target is down, no matter which request they were sent with.
    """

    def __init__(
        self, target: str, metrics: TargetMetrics, clock: Clock, poll_another: Callable[[], bool] = lambda: False
    ) -> None:
        """Create it; `poll_another` polls a source that is not failing soon, and returns False if there is none."""
        self._target = target
        self._metrics = metrics
        self._clock = clock
        self._poll_another = poll_another
        self._has_lost_credentials = False
        self._polls_authorized: bool | None = None
        self._polled_at = 0.0
        self._doubted: dict[str, float] = {}  # subjects that failed while the target was up, and the time of the check
        self._failed: set[str] = set()  # the subjects that have failed since the last response
        self.is_up: bool | None = None
        self.last_error = ""

    def resume(self, before: Reachability) -> None:
        """Continue with the outcome of the last request of the target that this one replaces."""
        self.is_up, self.last_error = before.is_up, before.last_error
        self._polls_authorized, self._polled_at = before._polls_authorized, before._polled_at
        self._doubted, self._failed = dict(before._doubted), set(before._failed)

    def report_up(self, subject: str, *, is_poll: bool) -> None:
        """Record that AWS responded to a request and authorized it, unless polls are denied.

        `subject` is the data source that the request is for, or the operation.
        """
        if is_poll:
            self._polls_authorized, self._polled_at = True, self._clock.monotonic()
        if self._recent_polls() is not False:
            self._doubted.pop(subject, None)
            self._failed.clear()
            self._report(is_up=True, error="")

    def report_down(self, error: str) -> None:
        """Record why AWS rejects the credentials, or why there are none."""
        self._report(is_up=False, error=error)

    def report_unknown(self, error: str) -> None:
        """Record an error that is not from AWS. It does not show whether the target is up."""
        if not self.is_up:
            self._report(is_up=False, error=error)

    def report_no_response(self, subject: str, error: str) -> None:
        """Record why a request had no response, unless only its subject may be affected."""
        if not self._is_doubtful(subject):
            self._report(is_up=False, error=error)

    def report_denied(self, subject: str, error: str, *, is_poll: bool) -> None:
        """Record which operation AWS denied, unless polls are authorized, or only its subject may be affected."""
        if self._recent_polls() is True and not is_poll:
            return
        if not self._is_doubtful(subject):
            if is_poll:
                self._polls_authorized, self._polled_at = False, self._clock.monotonic()
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

    def _is_doubtful(self, subject: str) -> bool:
        """Return whether a failure may affect its subject only, and poll another source to find out."""
        now = self._clock.monotonic()
        if not self.is_up:
            return False
        if now - self._doubted.get(subject, -math.inf) < POLL_VALIDITY:
            return True
        recent = {other: since for other, since in self._doubted.items() if now - since < POLL_VALIDITY}
        self._failed.add(subject)
        is_doubtful = len(self._failed) == 1 and self._poll_another()
        # Once the target is down, its failures affected all sources. The next failure of any source must count.
        self._doubted = {**recent, subject: now} if is_doubtful else {}
        return is_doubtful

    def _recent_polls(self) -> bool | None:
        """Return whether AWS authorized the last poll; None without a poll in the last hour."""
        is_valid = self._clock.monotonic() - self._polled_at < POLL_VALIDITY
        return self._polls_authorized if is_valid else None

    def _report(self, *, is_up: bool, error: str) -> None:
        # Without credentials, this is the result of a request that was sent before they were lost.
        if not self._has_lost_credentials:
            self._update(is_up=is_up, error=error)

    def _update(self, *, is_up: bool, error: str) -> None:
        self.is_up, self.last_error = is_up, error
        self.publish()
