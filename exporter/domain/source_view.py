"""What the metrics of a data source look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from exporter.domain.schedule import ScheduleError, parse
from exporter.metrics.objectives import objectives_of

if TYPE_CHECKING:
    from exporter.config import ObjectiveConfig
    from exporter.domain.model import Description, SourceHistory, SourceSnapshot, SyncJob
    from exporter.domain.schedule import Schedule
    from exporter.metrics.objectives import Objectives


@dataclass(frozen=True)
class SourceView:
    """What a family may look at: a source's snapshot, AWS's clock, and the configuration as far as it concerns it."""

    snapshot: SourceSnapshot
    now: float
    window: float
    objectives: tuple[ObjectiveConfig, ...] = ()

    @property
    def history(self) -> SourceHistory | None:
        """Give the source's history; None before its first successful poll."""
        return self.snapshot.history

    @cached_property
    def jobs(self) -> list[SyncJob]:
        """Give the jobs that AWS lists, the latest first."""
        return self.history.by_start() if self.history else []

    @cached_property
    def last(self) -> SyncJob | None:
        """Give the job that ended last."""
        return self.history.last_completed() if self.history else None

    @cached_property
    def running(self) -> list[SyncJob]:
        """Give the jobs in progress, the oldest first."""
        return self.history.in_progress() if self.history else []

    @property
    def oldest(self) -> SyncJob | None:
        """Give the oldest job in progress."""
        return self.running[0] if self.running else None

    @property
    def description(self) -> Description | None:
        """Give what AWS says of the source itself."""
        return self.snapshot.description

    @property
    def on_schedule(self) -> bool:
        """Tell whether the source has a schedule, understood or not."""
        return bool(self.description and self.description.schedule and self.description.schedule.strip())

    @cached_property
    def schedule(self) -> Schedule | None:
        """Give the source's schedule; None where it has none, or one that is not understood."""
        try:
            return parse(self.description.schedule) if self.description and self.description.schedule else None
        except ScheduleError:
            return None

    @cached_property
    def next_firing(self) -> float | None:
        """Give the schedule's next firing."""
        return self.schedule.next(self.now) if self.schedule else None

    @property
    def last_firing(self) -> float | None:
        """Give the schedule's next firing where it is the last."""
        firing = self.next_firing
        return firing if self.schedule and firing is not None and self.schedule.next(firing) is None else None

    @cached_property
    def held_to(self) -> Objectives:
        """Give what alerts hold the source to."""
        return objectives_of(self)
