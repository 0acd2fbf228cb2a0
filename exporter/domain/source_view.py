"""One data source at one time: its snapshot, and the values that are derived from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from exporter.domain.objective_starts import initial_starts
from exporter.domain.objectives import objectives_for
from exporter.domain.schedules.punctuality import GapOrigin, configured_gap, learned_gap
from exporter.domain.schedules.schedule_start import previous_firing, schedule_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.counting.source_history import SourceHistory
    from exporter.domain.model import Description, SyncJob
    from exporter.domain.objectives import ObjectiveRule, Objectives
    from exporter.domain.schedules.punctuality import ExpectedGap
    from exporter.domain.schedules.schedule import Schedule
    from exporter.domain.snapshots import SourceSnapshot


@dataclass(frozen=True)
class SourceView:
    """A snapshot at a time on AWS's clock, with the configured window and objectives.

    Metrics, the problems on the status page and the JSON all use this class, so that they agree. Each derived value is
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

    @cached_property
    def consecutive_failures(self) -> int | None:
        """The number of FAILED jobs in a row; None before the first successful poll."""
        return self.history.consecutive_failures() if self.history else None

    @cached_property
    def consecutive_without_content(self) -> int | None:
        """The number of jobs in a row that indexed no content; None before the first successful poll."""
        return self.history.consecutive_without_content() if self.history else None

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
        """The source's schedule; None without one, or if it is not valid."""
        return schedule_of(self.description)

    @cached_property
    def previous_firing(self) -> float | None:
        """The last firing since the schedule exists."""
        return previous_firing(self.description, self.now)

    @cached_property
    def next_firing(self) -> float | None:
        """The schedule's next firing."""
        return self.schedule.next(self.now) if self.schedule else None

    @cached_property
    def final_firing(self) -> float | None:
        """The schedule's next firing if it is the last one."""
        if self.schedule is None or self.schedule.recurs:
            return None
        firing = self.next_firing
        return firing if firing is not None and self.schedule.next(firing) is None else None

    @cached_property
    def objectives(self) -> Objectives:
        """The objectives of the source."""
        return objectives_for(self.snapshot, self.rules, self._schedule_gap)

    @cached_property
    def _schedule_gap(self) -> float | None:
        """The longest gap of the schedule; None if it will not fire again."""
        if self.schedule is None:
            return None
        return self.schedule.longest_gap() if self.schedule.recurs or self.next_firing is not None else None

    @cached_property
    def expected_gap(self) -> ExpectedGap | None:
        """The longest expected time between two syncs. It is learned if there is no schedule and no configured time."""
        configured = configured_gap(self._schedule_gap, self.objectives.expected_every)
        return configured or (None if self.has_schedule or self.description is None else learned_gap(self.history))

    @cached_property
    def expectation_starts(self) -> Mapping[str, float]:
        """The times at which expectations took effect. Expectations that are not listed always apply.

        `expected_every` is listed only if it is the expected gap. Without a recorded start, it starts with the source.
        """
        schedule_since, record = self.description.schedule_since if self.description else None, self.snapshot.objectives
        starts = dict(record.starts if record else initial_starts(self.objectives, schedule_since))
        since = starts.pop("expected_every", None)
        gap, created = self.expected_gap, self.description.created if self.description else None
        since = created if since is None else since
        if gap and gap.origin is GapOrigin.EXPECTED_EVERY and since is not None:
            starts["expected_every"] = since
        return starts

    @property
    def is_watched_for_punctuality(self) -> bool:
        """Whether anything is expected of the source, so that a missing sync is detected."""
        expected = (self.expected_gap, self.objectives.max_success_age, self.next_firing)
        return any(each is not None for each in expected)
