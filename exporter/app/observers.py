"""Records the requests, credentials and polls of a target in telemetry, in the log, and in its reachability."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import structlog

from exporter.aws import (
    CredentialObserver,
    has_no_response,
    is_denied,
    is_from_proxy,
    is_throttled,
    was_authorized,
)
from exporter.errors import Reason, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from exporter.app.reachability import Reachability
    from exporter.aws.rate_limiter import RateLimiter
    from exporter.domain.model import DataSource, SyncJob
    from exporter.errors import ProviderError
    from exporter.metrics.targets import TargetMetrics
    from exporter.polling.pass_log import PassLog
    from exporter.polling.workers import Heartbeat
    from exporter.target.reporting_gate import ReportingGate

logger = structlog.get_logger()

# The data source that the current thread polls, so that a failed request is attributed to it.
_polled_source: ContextVar[str] = ContextVar("polled_source", default="")


class RequestRecorder:
    """Delays each HTTP attempt until the rate limiter allows it, and records its result.

    A target that was replaced sends no further attempt, because its successor uses the same rate limiter.

    Background operations are counted, and have no other effect. They use the part of the rate limit that other requests
    leave unused. If AWS throttles or denies one of them, polls do not slow down, and the target is not reported as
    down. If AWS denies an optional operation, the target is not reported as down either, because discovery and polls
    work without its permission.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what it connects)
        self,
        target: str,
        rate_limiter: RateLimiter,
        metrics: TargetMetrics,
        passes: PassLog,
        reachability: Reachability,
        heartbeat: Heartbeat,
        gate: ReportingGate,
        background_operations: Container[str],
        optional_operations: Container[str] = (),
        poll_operation: str = "",
    ) -> None:
        self._target = target
        self._rate_limiter = rate_limiter
        self._metrics = metrics
        self._passes = passes
        self._reachability = reachability
        self._heartbeat = heartbeat
        self._gate = gate
        self._background_operations = background_operations
        self._optional_operations = optional_operations
        self._poll_operation = poll_operation

    def acquire(self, operation: str) -> None:
        """Wait until the rate limiter allows one more attempt. This is activity of the target.

        Raise StoppedError if the target was replaced.
        """
        self._stop_if_replaced()
        if operation in self._background_operations:
            self._rate_limiter.acquire_background(self._stop_if_replaced)
        else:
            self._rate_limiter.acquire(self._heartbeat.beat)
        self._stop_if_replaced()

    def finished(self, operation: str, code: str, seconds: float, *, is_usable: bool = True) -> None:
        """Record an attempt; `code` is the HTTP status, AWS's error code, `timeout` or `connection`."""
        if operation in self._background_operations:
            self._gate.report(self._metrics.count_request, self._target, operation, code, seconds)
            return
        self._heartbeat.beat()
        self._gate.report(self._record, operation, code, seconds, is_usable=is_usable)

    def _stop_if_replaced(self) -> None:
        if not self._gate.is_open:
            raise StoppedError

    def _record(self, operation: str, code: str, seconds: float, *, is_usable: bool) -> None:
        self._metrics.count_request(self._target, operation, code, seconds)
        self._passes.count("requests")
        if is_throttled(code):
            self._passes.count("throttled")
            self._rate_limiter.report_throttled()
        if is_usable:
            self._report(operation, code)
        else:  # a proxy or a login page may have sent it, so it does not show that AWS authorized the request
            self._reachability.report_unknown(f"{operation}: malformed response")

    def _report(self, operation: str, code: str) -> None:
        authorized = was_authorized(operation, code)
        subject, is_poll = _polled_source.get() or operation, operation == self._poll_operation
        error = f"{operation}: {code}"
        if authorized:
            self._reachability.report_up(subject, is_poll=is_poll)
        elif authorized is None:
            return  # it obtains credentials, which have their own observer
        elif is_from_proxy(code):
            self._reachability.report_unknown(error)
        elif has_no_response(code):
            self._reachability.report_no_response(subject, error)
        elif not is_denied(code):
            self._reachability.report_down(error)
        elif operation not in self._optional_operations:
            self._reachability.report_denied(subject, error, is_poll=is_poll)


class CredentialRecorder(CredentialObserver):
    """Logs once that credentials fail and that they work again, and has all data sources of the target polled."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it connects)
        self,
        target: str,
        metrics: TargetMetrics,
        reachability: Reachability,
        poll_all: Callable[[float], None],
        spacing: float,
        retry_discovery: Callable[[], None],
    ) -> None:
        """Create the recorder.

        `poll_all` polls every source soon; `spacing` is the number of seconds between two polls that send requests.
        `retry_discovery` retries a discovery run that has failed.
        """
        self._target = target
        self._metrics = metrics
        self._reachability = reachability
        self._poll_all = poll_all
        self._spacing = spacing
        self._retry_discovery = retry_discovery
        self._is_failing = self._is_retrying = False

    def credentials_failed(self, error: ProviderError) -> None:
        """Count an attempt that failed; log the first one.

        Once no credentials are left, each error is reported as the reason why the target is down.
        """
        self._metrics.count_credential_failure(self._target)
        if not self._is_failing:
            logger.warning("credentials failing", target=self._target, reason=str(error.reason), error=str(error))
        self._is_failing, self._is_retrying = True, False
        self._reachability.credentials_failed(str(error))

    def credentials_refused(self, error: ProviderError) -> None:
        """Count a refusal by AWS. After the first one, poll all data sources to find out which ones are affected."""
        is_first = not self._is_failing
        self.credentials_failed(error)
        if is_first:
            self._poll_all(self._spacing)

    def credentials_lost(self, error: ProviderError) -> None:
        """Report the target as down, and let every poll fail immediately, without a request."""
        self._reachability.credentials_lost(str(error))
        self._poll_all(0.0)

    def credentials_replaced(self) -> None:
        """Retry discovery and polls. Otherwise, it may take hours to learn whether AWS accepts the new credentials."""
        self._is_retrying = True
        self._retry()

    def credentials_recovered(self) -> None:
        """Log that credentials work again, and retry discovery and polls, unless a replacement has caused that."""
        logger.info("credentials work again", target=self._target)
        self._reachability.credentials_recovered()
        if not self._is_retrying:
            self._retry()
        self._is_failing = self._is_retrying = False

    def failure_inherited(self, error: ProviderError, *, is_lost: bool) -> None:
        """Continue after a failure that the replaced target has counted and logged.

        The target may also have data sources of a target whose credentials work.
        """
        self._is_failing = True
        if is_lost:
            self.credentials_lost(error)

    def _retry(self) -> None:
        """Retry discovery, and poll all data sources, without their back-off."""
        self._retry_discovery()
        self._poll_all(self._spacing)


class PollRecorder:
    """Counts polls, failed polls and jobs that ended."""

    def __init__(
        self, target: str, metrics: TargetMetrics, passes: PassLog, reachability: Reachability, gate: ReportingGate
    ) -> None:
        self._target = target
        self._metrics = metrics
        self._passes = passes
        self._reachability = reachability
        self._gate = gate

    def began(self, source: DataSource) -> None:
        """Attribute the requests of this thread to a data source."""
        _polled_source.set(str(source.id))

    def polled(self) -> None:
        """Count a poll."""
        self._gate.report(self._metrics.count_poll, self._target)
        self._passes.count("polls")

    def ended(self, job: SyncJob) -> None:
        """Count a job that ended."""
        self._passes.count("jobs_ended", f"jobs_{job.status.lower()}")

    def failed(self, reason: Reason) -> None:
        """Count a failed poll.

        A poll without credentials sends no request. So it reports the target as down itself, with the error of the last
        request if there is one.
        """
        self._gate.report(self._record_failure, reason)

    def _record_failure(self, reason: Reason) -> None:
        self._metrics.count_poll_failure(self._target, reason)
        self._passes.count("failed", f"failed_{reason}")
        if reason is Reason.CREDENTIALS:
            self._reachability.report_down(self._reachability.last_error or str(reason))
