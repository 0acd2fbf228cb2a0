"""The start time after which a listing may have jobs that no poll has read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.units import DAY, HOUR

if TYPE_CHECKING:
    from exporter.domain.counting.source_history import SourceHistory

FULL_REREAD_INTERVAL = 6 * HOUR
WATERMARK_MARGIN = 300.0  # seconds before the watermark that are read again, because AWS may list jobs late
MAX_KNOWN_JOBS = 9  # known jobs that an incremental read repeats: with one new job, they fill a page of ten
MAX_JOB_AGE = 7 * DAY  # a job in progress at a time is searched for among those that started at most this long before


def watermark(history: SourceHistory) -> float | None:
    """Return the start time from which an incremental read lists jobs; None without tracked jobs.

    Invariant: a job that no poll has read starts after the watermark or in the unread range of a catch-up, unless AWS
    lists it more than WATERMARK_MARGIN late. The next full reread finds such a job.

    The watermark is the start of the oldest job in progress minus the margin; if none is in progress, of the newest
    job. It rises with new jobs even if an old one does not end: with MAX_KNOWN_JOBS or more tracked jobs, it is never
    before the start of the MAX_KNOWN_JOBS-th newest one. It is always at least the margin before the last poll.

    Example: the last sync started at 12:00 and has ended, so polls list jobs since 11:55. Another source is synced
    hourly, and a job has been in progress since Monday. On Friday, its watermark is the start of the ninth newest job,
    about nine hours ago. The response lacks Monday's job, which a second request finds by its status. Without the limit
    of MAX_KNOWN_JOBS, each poll would read ten pages.
    """
    jobs = history.jobs_newest_first()
    if not jobs:
        return None
    oldest = next(iter(history.jobs_in_progress()), jobs[0])
    since = min(oldest.started, history.as_of) - WATERMARK_MARGIN
    if len(jobs) >= MAX_KNOWN_JOBS:
        since = max(since, min(jobs[MAX_KNOWN_JOBS - 1].started, history.as_of - WATERMARK_MARGIN))
    return since if history.unread is None else max(since, history.unread.end - WATERMARK_MARGIN)


def polled_to(history: SourceHistory, now: float) -> float:
    """Return the start time after which the listing may have jobs that no poll has read."""
    if history.unread is not None:
        return history.unread.start
    since = watermark(history)
    if since is not None:
        return since
    # Discovery may find a source long after its target was first watched. Jobs that were in progress at that time and
    # have ended since must be counted, and they started before it.
    return history.as_of - (MAX_JOB_AGE if now - history.as_of > FULL_REREAD_INTERVAL else WATERMARK_MARGIN)
