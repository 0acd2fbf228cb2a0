"""Ages, durations and missed firings of a data source, as of its last successful poll."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.model import INDEXED
from exporter.domain.units import SCHEDULE_RESOLUTION

if TYPE_CHECKING:
    from exporter.domain.model import SyncJob
    from exporter.domain.source_view import SourceView

MIN_SYNCS_FOR_AVERAGE = 5  # as in the alert QBusinessSyncSlowerThanUsual


def age_of(view: SourceView, happened_at: float | None) -> float | None:
    """Return the age of an event at the last successful poll; without an event, of the source."""
    since = (view.description.created if view.description else None) if happened_at is None else happened_at
    as_of = view.snapshot.polled_at
    return None if since is None or as_of is None else as_of - since


def judged_age(view: SourceView, happened_at: float | None, objective: str) -> float | None:
    """Return the age of an event as above, but at most the age of the objective that applies to it."""
    age, since = age_of(view, happened_at), view.expectation_starts.get(objective)
    return age if age is None or since is None else min(age, age_of(view, since) or 0.0)


def is_judged(view: SourceView, job: SyncJob, objective: str) -> bool:
    """Return whether an objective applies to an ended job, because it was in effect at the end of the job."""
    since = view.expectation_starts.get(objective)
    return since is None or job.end_or_start >= since


def running_for(view: SourceView) -> float | None:
    """Return how long the oldest sync in progress has been running."""
    as_of = view.snapshot.polled_at
    return None if as_of is None or view.oldest_running is None else as_of - view.oldest_running.started


def average_duration(view: SourceView) -> float | None:
    """Return the average duration of the SUCCEEDED and INCOMPLETE syncs; None if there are only a few."""
    durations = view.history.durations if view.history else {}
    indexed = [histogram for status, histogram in durations.items() if status in INDEXED]
    count = sum(sum(histogram.counts) for histogram in indexed)
    return sum(histogram.sum for histogram in indexed) / count if count >= MIN_SYNCS_FOR_AVERAGE else None


def missed_firing(view: SourceView) -> float | None:
    """Return the first firing of the schedule after the last completed sync, if no sync has started since then.

    Return None if this is not certain, because no poll has succeeded since the schedule fired.
    """
    fired = view.previous_firing
    last, as_of = view.last_completed, view.snapshot.polled_at
    if fired is None or view.schedule is None or last is None or as_of is None or view.running:
        return None
    since = SCHEDULE_RESOLUTION + last.end_or_start
    is_certain = as_of >= fired or view.snapshot.poll_succeeded
    if not is_certain or fired <= since:
        return None
    exists_since = view.description.schedule_since if view.description else None
    return view.schedule.next(since if exists_since is None else max(since, exists_since - 1))
