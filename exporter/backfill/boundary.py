"""The boundary between backfilled and scraped samples. Each job is counted on one side of it.

The exporter counts jobs that end after it started to watch a data source, from 0. The backfill counts the jobs that
ended before, and ends two seconds earlier. Its last sample, one second later, resets all counters to 0.

Example: the exporter has watched since 12:00:00.4. The backfilled counters rise to 7 by 11:59:58 and are 0 at 11:59:59.
The first scrape at 12:00:10 finds 0, and one after the next job finds 1. `increase()` over the whole time sees a
counter reset, and returns 8.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.counting.source_history import Histogram
from exporter.domain.counting.tracked_job import CountState

if TYPE_CHECKING:
    from exporter.domain.counting.source_history import SourceHistory
    from exporter.domain.model import SyncJob

# AWS's clock is precise to the second. A backfilled sample later than the first scrape would count everything twice.
MARGIN = 2.0  # seconds


def end_of_backfill(history: SourceHistory) -> float:
    """Return the time of the last sample before the counter reset."""
    return math.floor(history.watched_since) - MARGIN


def with_reset_counters(history: SourceHistory) -> SourceHistory:
    """Return the history with counters at 0, as at the time when the exporter starts to watch.

    The reset needs its own sample, because the first scrape may be so late that the counters have reached the
    backfilled figures again. Without the sample, Prometheus would then see no reset.
    """
    return replace(
        history,
        completed={},
        failures=dict.fromkeys(history.failures, 0),
        documents={},
        durations={status: Histogram.empty(histogram.bounds) for status, histogram in history.durations.items()},
    )


def backfilled_end(job: SyncJob, history: SourceHistory) -> float:
    """Return when a job ends in the backfill; infinity if it is in progress, or if the exporter counts it."""
    if not job.is_terminal:
        return math.inf
    end = job.end_or_start
    tracked = history.jobs.get(job.execution_id)
    state = tracked.count_state if tracked else CountState.EVICTED
    # The history no longer stores whether an evicted job was counted. Its end shows it, because the exporter counted
    # all jobs that ended later.
    is_past = end <= history.watched_since if state is CountState.EVICTED else state is CountState.PRE_EXISTING
    return min(end, end_of_backfill(history)) if is_past else math.inf
