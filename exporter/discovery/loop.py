"""Runs discovery at an interval, and earlier after a failed run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.discovery.reconciler import RunResult
from exporter.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from exporter.runtime import Event, Host

logger = structlog.get_logger()

NAMED_ONLY_INTERVAL = 900.0  # seconds between runs of a target that names its data sources and discovers none
PARTIAL_RETRY_DELAY = 900.0  # seconds until the first retry after a run that succeeded partially: the default interval
FAILED = RunResult(complete=False, reached_aws=False)


class DiscoveryLoop:
    """Runs the discovery of one target in a thread until it is stopped."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it runs, how often, and on what)
        self,
        run: Callable[[], RunResult],
        interval: float,
        retry_delay: float,
        host: Host,
        random: Random,
        stopping: Event,
    ) -> None:
        """Create the loop; `retry_delay` is the delay of the first retry if AWS cannot be reached, in seconds."""
        self._run_once = run
        self._interval = interval
        self._retry_delay = retry_delay
        self._host = host
        self._random = random
        self._stopping = stopping
        self._changed = host.condition()
        self._is_retry_requested = False
        self._first_run_ended = host.event()
        self._has_reached_aws = False
        self._last = FAILED
        self._failures_in_a_row = 0  # of the same kind
        self._last_exception = ""
        self._thread = host.thread("discovery", self._run)

    def start(self) -> None:
        """Start with the first run."""
        self._thread.start()

    def stop(self) -> None:
        """Start no further run; return immediately."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def retry(self) -> None:
        """Retry immediately if the last run failed, or if the run in progress fails, because the cause is fixed."""
        with self._changed:
            self._is_retry_requested = True
            self._changed.notify_all()

    def join(self, deadline: float) -> None:
        """Wait for the run in progress until a time on the monotonic clock."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, deadline - self._host.monotonic()))

    def unhealthy(self) -> str | None:
        """Return that the thread has died; None if it has not."""
        died = self._thread.ident is not None and not self._thread.is_alive()
        return "discovery has died" if died and not self._stopping.is_set() else None

    def unready(self) -> str | None:
        """Return that the first run has not ended; None once it has."""
        return None if self._first_run_ended.is_set() else "the first discovery run is in progress"

    @property
    def has_reached_aws(self) -> bool:
        """Whether any run has reached AWS."""
        return self._has_reached_aws

    def delay(self, started: float, now: float, result: RunResult) -> float:
        """Return the seconds until the next run, by the start and the result of the last one.

        Retries back off exponentially up to the interval. After a run that succeeded partially, the delay runs from its
        start, as after a successful one. After a run that did not reach AWS, jitter prevents many targets from retrying
        together.
        """
        if result != self._last:
            self._last, self._failures_in_a_row = result, 0
        if result.complete:
            return max(0.0, started + self._interval - now)
        self._failures_in_a_row += 1
        first = PARTIAL_RETRY_DELAY if result.reached_aws else self._retry_delay
        delay: float = min(self._interval, first * 2.0 ** min(self._failures_in_a_row - 1, 30))
        return max(0.0, started + delay - now) if result.reached_aws else delay * self._random.uniform(0.5, 1.0)

    def _run(self) -> None:
        try:
            self._run_until_stopped()
        except StoppedError:
            self.stop()

    def _run_until_stopped(self) -> None:
        while not self._stopping.is_set():
            started, result = self._host.monotonic(), FAILED
            try:
                result = self._run_once()
            except Exception as error:
                # A bug must not end discovery. It is logged once, and not in each run.
                if repr(error) != self._last_exception:
                    self._last_exception = repr(error)
                    logger.exception("discovery failed with an unexpected exception")
            self._has_reached_aws |= result.reached_aws
            self._first_run_ended.set()
            self._wait(self.delay(started, self._host.monotonic(), result), result)

    def _wait(self, seconds: float, result: RunResult) -> None:
        """Wait until the next run is due. After a failed run, a requested retry ends the wait and the back-off."""
        due = self._host.monotonic() + seconds
        with self._changed:
            while not self._stopping.is_set() and (remaining := due - self._host.monotonic()) > 0:
                if self._is_retry_requested and not result.complete:
                    self._failures_in_a_row = 0
                    break
                self._changed.wait(remaining)
            self._is_retry_requested = False
