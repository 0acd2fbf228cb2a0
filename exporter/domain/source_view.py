"""One data source at one time: its snapshot, and the values that are derived from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from exporter.domain.objectives import objectives_for
from exporter.domain.schedule import ScheduleError, parse_schedule

if TYPE_CHECKING:
    from exporter.domain.model import Description, SyncJob
    from exporter.domain.objectives import ObjectiveRule, Objectives
    from exporter.domain.schedule import Schedule
    from exporter.domain.snapshots import SourceSnapshot
    from exporter.domain.source_history import SourceHistory


@dataclass(frozen=True)
class SourceView:
    """A snapshot at a time on AWS's clock, with the configured window and objectives.

    Metrics, the problems on the status page and the JSON all use this class, so that they agree. Derived values are
    computed once.
    """

    snapshot: SourceSnapshot
    now: float
    window: float
    rules: tuple[ObjectiveRule, ...] = ()

    @property
    def history(self) -> SourceHistory | None:
        """The source's history; None before its first successful poll."""
        return self.snapshot.history

    @cached_property
    def jobs(self) -> list[SyncJob]:
        """The jobs that AWS lists, the most recently started first."""
        return self.history.jobs_newest_first() if self.history else []

    @cached_property
    def last_completed(self) -> SyncJob | None:
        """The job that ended last."""
        return self.history.last_completed() if self.history else None

    @cached_property
    def running(self) -> list[SyncJob]:
        """The jobs in progress, the oldest first."""
        return self.history.jobs_in_progress() if self.history else []

    @property
    def oldest_running(self) -> SyncJob | None:
        """The oldest job in progress."""
        return self.running[0] if self.running else None

    @property
    def description(self) -> Description | None:
        """The properties of the source that AWS reports; None before they are known."""
        return self.snapshot.description

    @property
    def has_schedule(self) -> bool:
        """Whether the source has a schedule, valid or not."""
        return bool(self.description and self.description.schedule and self.description.schedule.strip())

    @cached_property
    def schedule(self) -> Schedule | None:
        """The source's schedule; None if it has none, or one that is not valid."""
        try:
            return parse_schedule(self.description.schedule) if self.description and self.description.schedule else None
        except ScheduleError:
            return None

    @cached_property
    def next_firing(self) -> float | None:
        """The schedule's next firing."""
        return self.schedule.next(self.now) if self.schedule else None

    @property
    def final_firing(self) -> float | None:
        """The schedule's next firing if it is the last one."""
        firing = self.next_firing
        return firing if self.schedule and firing is not None and self.schedule.next(firing) is None else None

    @cached_property
    def objectives(self) -> Objectives:
        """The objectives of the source. A schedule that will not fire again implies no success age."""
        fires = self.schedule is not None and self.next_firing is not None
        return objectives_for(
            self.snapshot, self.rules, self.schedule.longest_gap() if self.schedule and fires else None
        )
