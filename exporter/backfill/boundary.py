"""Where the past ends and what is scraped begins, so that between the two every job is counted once."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.source_history import CountState, Histogram

if TYPE_CHECKING:
    from exporter.domain.model import SyncJob
    from exporter.domain.source_history import SourceHistory

MARGIN = 2.0  # seconds: AWS's clock is known to the second, and a sample after the first scrape would count all again


def last_moment(history: SourceHistory) -> float:
    """Give the last moment that is told, just before the source is watched."""
    return math.floor(history.watched_since) - MARGIN


def anew(history: SourceHistory) -> SourceHistory:
    """Give a history whose totals begin anew, as they do where a source is watched.

    That is told too: whoever is scraped for the first time a good while later may have reached the same figures again,
    and nobody could see that they were counted twice.
    """
    return replace(
        history,
        completed={},
        failures=dict.fromkeys(history.failures, 0),
        documents={},
        durations={status: Histogram.empty(histogram.bounds) for status, histogram in history.durations.items()},
    )


def told_to_end(job: SyncJob, history: SourceHistory) -> float:
    """Give when a job is told to have ended: never, where it goes on, or its end is counted by whoever watches."""
    if not job.is_terminal:
        return math.inf
    end, _ = job.end_or_start()
    known = history.jobs.get(job.execution_id)
    standing = known.count_state if known else CountState.EVICTED
    is_past = end <= history.watched_since if standing is CountState.EVICTED else standing is CountState.PRE_EXISTING
    return min(end, last_moment(history)) if is_past else math.inf
