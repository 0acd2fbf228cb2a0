"""Checks the times of a poll against the host's clock, against the times of its jobs, and against earlier polls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.clock_check import ClockReading, is_behind_jobs, without_jump
from exporter.domain.counting.history import move_start
from exporter.polling.job_log import format_time

if TYPE_CHECKING:
    from exporter.domain.counting.counting_policy import CountingPolicy
    from exporter.domain.counting.source_history import PollData, SourceHistory
    from exporter.polling.source_state import SourceState
    from exporter.runtime import AwsClock


class PollTimes:
    """Corrects times that were read from a Date header, if that is known to be wrong."""

    def __init__(self, clock: AwsClock, policy: CountingPolicy) -> None:
        self._clock = clock
        self._policy = policy

    def corrected(self, data: PollData, seconds: float | None) -> PollData:
        """Return the data of a poll with correct times.

        `seconds` is the duration of the requests; None if the data are of several reads, whose Dates are not compared.
        """
        last = ClockReading(data.end, data.end - self._clock.host_time())
        first = data.as_of
        if seconds is not None:
            first, last = without_jump(first, last, seconds)
        ahead = last.ahead or 0.0
        if not is_behind_jobs(last, data.jobs):
            return replace(data, as_of=first, end=last.time, clock_ahead=ahead)
        self._clock.use_host()
        warnings = (*data.warnings, "the Date header is behind the host and the sync jobs, using the host's clock")
        return replace(data, as_of=first - ahead, end=last.time - ahead, clock_ahead=0.0, warnings=warnings)

    def with_start(self, state: SourceState, history: SourceHistory | None, data: PollData) -> SourceHistory | None:
        """Return the history with a corrected start if the clock from which the start was read proves wrong."""
        if history is None:
            return None
        now = ClockReading(data.end, data.clock_ahead)
        was_polled, is_restored = state.polled_at is not None, state.first_clock is not self._clock
        return move_start(history, now, self._policy, was_polled=was_polled, is_restored=is_restored)


def log_correction(state: SourceState, before: SourceHistory | None, after: SourceHistory | None) -> None:
    """Log a correction of the start of counting, if there was one."""
    if before is not None and after is not None and after is not before:
        state.logger.warning(
            "AWS's clock was wrong at first contact, start of counting corrected",
            noted=format_time(before.watched_since),
            corrected=format_time(after.watched_since),
        )
