"""The time from which the jobs of a data source count that discovery finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.units import DATE_RESOLUTION

if TYPE_CHECKING:
    from exporter.target.context import TargetContext


class WatchStart:
    """Decides since when the jobs of a found data source count.

    A source that was created after its target was first watched counts from its creation: the exporter would have
    counted all of its jobs if it had known the source. Any other source counts from the run that found it, because its
    earlier jobs are history.

    Example: a target is first watched in March. In June, a filter is widened, and discovery finds a source of January
    and one of May. The first counts from now on, and the second counts all of its jobs since May.

    The target is its service, account and region. Before the account is known, a target counts as first watched in
    the first run of this process, which can only make fewer jobs count.
    """

    def __init__(self, context: TargetContext) -> None:
        self._context = context
        self._first_run = 0.0
        self._run = 0.0

    def begin_run(self) -> None:
        """Record that a run has reached AWS; called before any other method."""
        # AWS's clock has a resolution of one second. Without the addition, a job that ended before could count.
        self._run = self._context.provider.clock.now() + DATE_RESOLUTION
        self._first_run = self._first_run or self._run
        self.first_watched()

    def counts_from(self, created: float | None) -> float:
        """Return the time from which the jobs of a source count that this run has found."""
        if created is None or created <= self.first_watched():
            return self._run
        return min(created, self._run)

    def first_watched(self) -> float:
        """Return when the target was first watched, and save it once the account is known."""
        store, identity, first_run = self._context.store, self._context.location.identity, self._first_run
        if identity is None:
            return first_run
        saved = store.watched_since(identity)
        if saved is None:
            store.save_watched_since(identity, first_run)
        return first_run if saved is None else saved
