"""The time since which the jobs of a newly found data source count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.domain.clock_check import TOLERANCE, ClockReading, corrected
from exporter.domain.units import DATE_RESOLUTION

if TYPE_CHECKING:
    from exporter.target.context import TargetContext

logger = structlog.get_logger()


class WatchStart:
    """Decides since when the jobs of a newly found data source count.

    A source that was created after its target was first watched counts from its creation: the exporter would have
    counted all of its jobs if it had known the source. Any other source counts from the run that found it, because its
    earlier jobs are history.

    Example: a target is first watched in March. In June, a filter is widened, and discovery finds a source that was
    created in January, and one that was created in May. The first one counts from June on. For the second one, all jobs
    since May count.

    A target is identified by its service, account and region. Before the account is known, the target counts as first
    watched in the first run of this process, which can only make fewer jobs count.
    """

    def __init__(self, context: TargetContext) -> None:
        self._context = context
        self._first_run: ClockReading | None = None
        self._run = ClockReading(0.0)

    def begin_run(self) -> None:
        """Record that a run has reached AWS; called before any other method."""
        now = self._context.provider.clock.read()
        # AWS's clock has a resolution of one second. Without this addition, a job that ended before could count.
        self._run = ClockReading(now.time + DATE_RESOLUTION, now.ahead)
        first = self._first_run or self._run
        time = corrected(first, now)
        self._first_run = first if time is None else ClockReading(time, now.ahead)
        self.first_watched()

    def counts_from(self, created: float | None) -> ClockReading:
        """Return the time since which the jobs of a source count that this run has found."""
        if created is None or not self.first_watched() < created < self._run.time:
            return self._run
        return ClockReading(created)

    def depends_on_creation(self) -> bool:
        """Return whether the creation time of a source matters. It does not in the first run of a target."""
        return self.first_watched() < self._run.time

    def first_watched(self) -> float:
        """Return when the target was first watched, and save it once the account is known.

        A saved time is wrong if it is later than the first run of this process, at a time that the host confirms.
        """
        store, identity, first_run = self._context.store, self._context.location.identity, self._first_run or self._run
        if identity is None:
            return first_run.time
        saved = store.watched_since(identity)
        is_confirmed = first_run.ahead is not None and abs(first_run.ahead) <= TOLERANCE
        if saved is not None and not (is_confirmed and saved > first_run.time + TOLERANCE):
            return saved
        if saved is not None:
            message = "AWS's clock was wrong at first contact, time of first watch corrected"
            logger.warning(message, target=self._context.target)
        store.save_watched_since(identity, first_run.time)
        return first_run.time
