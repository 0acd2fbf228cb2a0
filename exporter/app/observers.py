"""Record the requests and polls of a target in telemetry, in the log of passes, and in its reachability."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.aws import is_throttled, was_authorized
from exporter.errors import Reason

if TYPE_CHECKING:
    from exporter.app.reachability import Reachability
    from exporter.aws.rate_limiter import RateLimiter
    from exporter.domain.model import SyncJob
    from exporter.metrics.telemetry import Telemetry
    from exporter.polling.pass_log import PassLog
    from exporter.polling.workers import Heartbeat


class RequestRecorder:
    """Delays each HTTP attempt until the rate limiter allows it, and records its result."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it connects)
        self,
        target: str,
        rate_limiter: RateLimiter,
        telemetry: Telemetry,
        passes: PassLog,
        reachability: Reachability,
        heartbeat: Heartbeat,
    ) -> None:
        self._target = target
        self._rate_limiter = rate_limiter
        self._telemetry = telemetry
        self._passes = passes
        self._reachability = reachability
        self._heartbeat = heartbeat

    def acquire(self) -> None:
        """Wait until the rate limiter allows one more attempt. To wait for it is activity of the target."""
        self._rate_limiter.acquire(self._heartbeat.beat)

    def finished(self, operation: str, code: str, seconds: float) -> None:
        """Record an attempt; `code` is the HTTP status, AWS's error code, `timeout` or `connection`."""
        self._heartbeat.beat()
        self._telemetry.count_request(self._target, operation, code, seconds)
        self._passes.count("requests")
        if is_throttled(code):
            self._passes.count("throttled")
            self._rate_limiter.report_throttled()
        authorized = was_authorized(operation, code)
        if authorized:
            self._reachability.report_up()
        elif authorized is not None:
            self._reachability.report_down(f"{operation}: {code}")


class PollRecorder:
    """Counts polls, failed polls and jobs that ended."""

    def __init__(self, target: str, telemetry: Telemetry, passes: PassLog, reachability: Reachability) -> None:
        self._target = target
        self._telemetry = telemetry
        self._passes = passes
        self._reachability = reachability

    def polled(self) -> None:
        """Count a poll."""
        self._telemetry.count_poll(self._target)
        self._passes.count("polls")

    def ended(self, job: SyncJob) -> None:
        """Count a job that ended."""
        self._passes.count("jobs_ended", f"jobs_{job.status.lower()}")

    def failed(self, reason: Reason) -> None:
        """Count a failed poll.

        A poll without credentials sends no request. So it reports the target as down itself, with the last error of a
        request if there is one.
        """
        self._telemetry.count_poll_failure(self._target, reason)
        self._passes.count("failed", f"failed_{reason}")
        if reason in {Reason.CREDENTIALS, Reason.ACCESS_DENIED}:
            self._reachability.report_down(self._reachability.last_error or str(reason))
