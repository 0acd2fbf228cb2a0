"""How far back one poll reads the sync jobs of a data source.

AWS documents neither the order of ListDataSourceSyncJobs nor the meaning of its `startTime` filter: the filter may
select jobs that started in the range, or jobs that were active in it. The reads are correct for every combination:

- A listing with a filter is read to its last page, so its order does not matter. Jobs that only one meaning selects do
  no harm, because folding a known job again changes nothing. Jobs in progress that it does not select are searched by
  their status (`_find_missing`).
- The listing without a filter may have thousands of pages, so it is read in part. To stop before its last page is
  correct only if the newest jobs come first. A read relies on this order for as long as every page so far has it.
  After the first page that does not, it reads time ranges instead, each to its last page (`_read_time_ranges`).

`read_full` reads back to `polling.window` and to the latest jobs. It is the initial poll of a source, and is repeated
every FULL_REREAD_INTERVAL to find anything that other polls missed. `read_incremental` is every other poll: it reads
from the watermark, and costs one request if nothing has changed. `read_for_backfill` is for the `backfill` command.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from exporter.domain.eviction import LATEST_JOBS
from exporter.domain.model import IN_PROGRESS, INDEXED, SyncJobStatus
from exporter.domain.source_history import PollData
from exporter.domain.units import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.domain.model import SyncJob
    from exporter.domain.source_history import SourceHistory
    from exporter.providers import JobPage

FULL_REREAD_INTERVAL = 6 * HOUR
WATERMARK_MARGIN = 300.0  # seconds before the watermark, for jobs that AWS lists late
MAX_KNOWN_JOBS = 9  # known jobs that an incremental read repeats: with one new job, the response is one page of ten
MAX_JOB_AGE = 7 * DAY  # how long before a time a job may have started to be searched as in progress at that time
MAX_FAILURE_LOOKBACK = 100  # jobs that a read goes back at most to find one that did not fail
_RANGE_FACTOR = 4  # each time range is this many times as long as the one before
_MAX_RANGE = 400 * DAY  # instead of a range of this length, the whole listing is read


class ListSyncJobs(Protocol):
    """Lists the sync jobs of one data source, as `Provider.sync_jobs` does."""

    def __call__(self, *, since: float | None = None, status: str | None = None) -> Iterator[JobPage]:
        """Yield the pages of the listing; each is requested when it is needed."""


def read_full(list_jobs: ListSyncJobs, window: float, history: SourceHistory | None = None) -> PollData:
    """Read the jobs of the window, the latest jobs, and the jobs in progress.

    With a history, the read goes back at least to where polling ended, which after an outage is before the window. It
    also searches every tracked job that was never seen to end, including jobs that had vanished from the listing.

    Without tracked jobs, it also searches by status for jobs that lie deeper in the listing: those still in progress,
    and the last success. Later reads need not do so, because every new job starts after what this read has seen.
    """
    jobs = _JobAccumulator()
    min_range = max(window, FULL_REREAD_INTERVAL + WATERMARK_MARGIN)
    tracked = history.jobs_newest_first() if history else []
    unfinished = history.unfinished_jobs() if history else []
    # A listing may be sorted within its pages only. Its first page then looks newest-first although it is from the
    # middle. So a read stops only after it has seen a job at least as new as the newest tracked one.
    newest_tracked = tracked[0].started if tracked else -math.inf
    for page in jobs.read(list_jobs()):
        polled_to = _polled_to(history, jobs.as_of) if history else math.inf
        if page.has_more and not jobs.newest_first:
            jobs = _read_time_ranges(list_jobs, jobs.as_of, max(min_range, jobs.as_of - polled_to))
            break
        if page.has_more and jobs.newest >= newest_tracked and jobs.reaches(min(jobs.as_of - min_range, polled_to)):
            break
    else:
        return _find_missing(list_jobs, jobs, unfinished)
    if history is None or not history.jobs:
        for status in sorted(IN_PROGRESS):
            jobs.read_all(list_jobs(status=status))
        _find_last_success(list_jobs, jobs)
    return _find_missing(list_jobs, jobs, unfinished)


def read_incremental(list_jobs: ListSyncJobs, window: float, history: SourceHistory) -> PollData:
    """Read the jobs from the watermark on, and those that were in progress; without a watermark, read in full."""
    since = watermark(history)
    if since is None:
        return read_full(list_jobs, window, history)
    jobs = _JobAccumulator()
    jobs.read_all(list_jobs(since=since))
    # AWS rejects a filter by an undocumented status, so a job with such a status is left to the next full reread.
    return _find_missing(list_jobs, jobs, [job for job in history.jobs_in_progress() if job.status in IN_PROGRESS])


def read_for_backfill(list_jobs: ListSyncJobs, since: float | None, window: float) -> PollData:
    """Read the jobs since a time, and enough earlier ones to know the state of the source then.

    If `since` is None, all jobs that AWS lists are read. A job that was in progress at `since` is found if it had
    started at most MAX_JOB_AGE before.
    """
    jobs = _JobAccumulator()
    for page in jobs.read(list_jobs()):
        if since is not None and page.has_more and jobs.newest_first and jobs.covers(since, max(window, MAX_JOB_AGE)):
            break
    return jobs.to_poll_data(())


def watermark(history: SourceHistory) -> float | None:
    """Return the start time from which an incremental read lists jobs; None without tracked jobs.

    Invariant: a job that no poll has read starts after the watermark, unless AWS lists it more than WATERMARK_MARGIN
    late. Such a job is found by the next full reread.

    The watermark is the start of the oldest job in progress, or else of the newest job, less the margin. It rises with
    new jobs even if an old one does not end: with MAX_KNOWN_JOBS or more tracked jobs, it is never before the start of
    the MAX_KNOWN_JOBS-th newest one. The margin to the last poll is kept in any case.

    Example: the last sync started at 12:00 and has ended, so polls list jobs since 11:55. Another source is synced
    hourly, and a job has been in progress since Monday. On Friday, its watermark is the start of the ninth newest job,
    about nine hours ago. The response lacks Monday's job, which a second request finds by its status. Without this
    rule, each poll would read ten pages.
    """
    jobs = history.jobs_newest_first()
    if not jobs:
        return None
    oldest = next(iter(history.jobs_in_progress()), jobs[0])
    since = min(oldest.started, history.as_of) - WATERMARK_MARGIN
    if len(jobs) >= MAX_KNOWN_JOBS:
        since = max(since, min(jobs[MAX_KNOWN_JOBS - 1].started, history.as_of - WATERMARK_MARGIN))
    return since


def _polled_to(history: SourceHistory, now: float) -> float:
    """Return the start time from which on the listing may have jobs that no poll has read."""
    since = watermark(history)
    if since is not None:
        return since
    # Discovery may find a source long after its target was first watched. Jobs that were in progress at that time and
    # have ended since must be counted, and they started before it.
    return history.as_of - (MAX_JOB_AGE if now - history.as_of > FULL_REREAD_INTERVAL else WATERMARK_MARGIN)


def _find_missing(list_jobs: ListSyncJobs, jobs: _JobAccumulator, unfinished: list[SyncJob]) -> PollData:
    """Search the unfinished jobs that have not been read; what is not found has vanished.

    A job that has not ended can be anywhere in the listing, and the listings read so far may not reach it. It is
    searched by status, the statuses of the missing jobs first, because it probably has not changed. If it is not in
    progress any more, it has ended, and is searched by its start. Only a job that neither listing has is reported as
    vanished: to AWS it does not exist any more, so it would otherwise be in progress forever.
    """
    statuses = sorted(IN_PROGRESS, key=lambda status: (all(job.status != status for job in unfinished), status))
    for status in statuses:
        if jobs.has_all(unfinished):
            break
        jobs.read_all(list_jobs(status=status))
    if not jobs.has_all(unfinished):
        missing = [job.started for job in unfinished if job.execution_id not in jobs.ids]
        jobs.read_all(list_jobs(since=min(missing) - WATERMARK_MARGIN))
    return jobs.to_poll_data(unfinished)


def _read_time_ranges(list_jobs: ListSyncJobs, as_of: float, seconds: float) -> _JobAccumulator:
    """Read the last `seconds` to the last page, then longer ranges, until one has enough jobs."""
    while True:
        jobs = _JobAccumulator(as_of, newest_first=False)
        since = as_of - seconds if seconds < _MAX_RANGE else None
        jobs.read_all(list_jobs(since=since))
        if since is None or jobs.has_enough:
            return jobs
        seconds *= _RANGE_FACTOR


def _find_last_success(list_jobs: ListSyncJobs, jobs: _JobAccumulator) -> None:
    """Search the last job that succeeded and the last one that indexed content, if none was read."""
    for status in (SyncJobStatus.SUCCEEDED, SyncJobStatus.INCOMPLETE):
        sufficient = {SyncJobStatus.SUCCEEDED} if status is SyncJobStatus.SUCCEEDED else INDEXED
        if jobs.statuses & sufficient:
            continue
        for page in jobs.read(list_jobs(status=status)):
            if jobs.newest_first and page.jobs:
                break


class _JobAccumulator:
    """The jobs that one poll has read so far, from one or more listings."""

    def __init__(self, as_of: float = 0.0, *, newest_first: bool = True) -> None:
        """Start without jobs; an `as_of` of 0 is replaced by the time of the first response."""
        self.as_of = as_of
        self.newest_first = newest_first
        self.newest = -math.inf
        self.ids: set[str] = set()
        self.statuses: set[str] = set()
        self._end = as_of
        self._is_complete = True
        self._jobs: list[SyncJob] = []
        self._warnings: list[str] = []
        self._last_start = math.inf

    def read(self, pages: Iterable[JobPage]) -> Iterator[JobPage]:
        """Yield each page of a listing after its jobs have been added."""
        self._last_start = math.inf
        for page in pages:
            self.as_of = self.as_of or page.as_of
            self._end = max(self._end, page.as_of)
            self._warnings += page.warnings
            self._is_complete &= page.is_complete
            for job in page.jobs:
                self._add(job)
            yield page

    def read_all(self, pages: Iterable[JobPage]) -> None:
        """Add the jobs of all pages of a listing."""
        for _ in self.read(pages):
            pass

    def has_all(self, jobs: Iterable[SyncJob]) -> bool:
        """Return whether all of these jobs have been read."""
        return all(job.execution_id in self.ids for job in jobs)

    @property
    def has_enough(self) -> bool:
        """Whether the latest jobs have been read, including one that ended without failing."""
        without_failure = any(job.is_terminal and job.status != SyncJobStatus.FAILED for job in self._jobs)
        return len(self.ids) >= (LATEST_JOBS if without_failure else MAX_FAILURE_LOOKBACK)

    def reaches(self, time: float) -> bool:
        """Return whether a newest-first listing has been read back to a time, and has enough jobs."""
        return self.has_enough and self._last_start < time

    def covers(self, time: float, seconds: float) -> bool:
        """Return whether a newest-first listing has been read far enough to know the state of the source at a time.

        That is, back to `seconds` before the time, and to a job that had succeeded by then.
        """
        return self._last_start < time - seconds and any(
            job.status == SyncJobStatus.SUCCEEDED and job.end_or_start <= time for job in self._jobs
        )

    def to_poll_data(self, unfinished: Iterable[SyncJob]) -> PollData:
        """Return what was read. Unfinished jobs that were not read have vanished, unless an entry was unreadable."""
        missing = frozenset(job.execution_id for job in unfinished) - self.ids
        vanished = missing if self._is_complete else frozenset()
        return PollData(tuple(self._jobs), self.as_of, self._end, vanished, tuple(dict.fromkeys(self._warnings)))

    def _add(self, job: SyncJob) -> None:
        self.newest_first &= job.started <= self._last_start
        self._last_start = job.started
        self.newest = max(self.newest, job.started)
        self._jobs.append(job)
        self.ids.add(job.execution_id)
        self.statuses.add(job.status)
