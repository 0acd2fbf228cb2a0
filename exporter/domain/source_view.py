"""One data source at one moment: its snapshot and what follows from it, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from exporter.domain.objectives import objectives_for
from exporter.domain.schedule import ScheduleError, parse

if TYPE_CHECKING:
    from exporter.domain.model import Description, SyncJob
    from exporter.domain.objectives import ObjectiveRule, Objectives
    from exporter.domain.schedule import Schedule
    from exporter.domain.snapshots import SourceSnapshot
    from exporter.domain.source_history import SourceHistory


@dataclass(frozen=True)
class SourceView:
    """A source's snapshot at a moment on AWS's clock, with the configured window and objectives.

    Metrics, alerts on the status page and the JSON all read from it, so that they agree.
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
        """The jobs that AWS lists, the latest first."""
        return self.history.by_start() if self.history else []

    @cached_property
    def last(self) -> SyncJob | None:
        """The job that ended last."""
        return self.history.last_completed() if self.history else None

    @cached_property
    def running(self) -> list[SyncJob]:
        """The jobs in progress, the oldest first."""
        return self.history.in_progress() if self.history else []

    @property
    def oldest(self) -> SyncJob | None:
        """The oldest job in progress."""
        return self.running[0] if self.running else None

    @property
    def description(self) -> Description | None:
        """The source's description by AWS."""
        return self.snapshot.description

    @property
    def on_schedule(self) -> bool:
        """Whether the source has a schedule, valid or not."""
        return bool(self.description and self.description.schedule and self.description.schedule.strip())

    @cached_property
    def schedule(self) -> Schedule | None:
        """The source's schedule; None where it has none, or an invalid one."""
        try:
            return parse(self.description.schedule) if self.description and self.description.schedule else None
        except ScheduleError:
            return None

    @cached_property
    def next_firing(self) -> float | None:
        """The schedule's next firing."""
        return self.schedule.next(self.now) if self.schedule else None

    @property
    def last_firing(self) -> float | None:
        """The schedule's next firing if no other follows it."""
        firing = self.next_firing
        return firing if self.schedule and firing is not None and self.schedule.next(firing) is None else None

    @cached_property
    def objectives(self) -> Objectives:
        """The objectives in force. A schedule that fires no more implies none."""
        fires = self.schedule is not None and self.next_firing is not None
        return objectives_for(
            self.snapshot, self.rules, self.schedule.longest_gap() if self.schedule and fires else None
        )
