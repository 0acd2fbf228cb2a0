"""How far one poll reads: enough to be right, whatever order and filter semantics AWS has, and no more.

Neither the order of the answers nor what `startTime` filters by is promised (by a job's start, or by its life
overlapping the range). So a filtered listing is read to its end and its jobs are sorted out afterwards; only the first
look trusts the newest-first order, and only as long as what it sees has it.
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

FULL_REREAD_INTERVAL = 6 * HOUR  # a full reread this often is the net under everything below
WATERMARK_MARGIN = 300.0  # seconds before the watermark: room for a job that is listed late
KNOWN_PER_POLL = 9  # known jobs that a poll asks for again: with one new, the answer is still a single page
MAX_JOB_AGE = 7 * DAY  # a job that is looked for in the past, because it may have been in progress then
MAX_FAILURE_LOOKBACK = 100  # jobs read back at most in search of one that did not fail
_WIDEN = 4  # factor by which a look back that found too little is widened
_ALL_OF_TIME = 400 * DAY


class ListSyncJobs(Protocol):
    """A source's listing, as `Provider.sync_jobs` gives it."""

    def __call__(self, *, since: float | None = None, status: str | None = None) -> Iterator[JobPage]:
        """Yield pages of jobs."""


def read_full(ask: ListSyncJobs, window: float, history: SourceHistory | None = None) -> PollData:
    """Read back through the window and the latest jobs, and look by status for what lies deeper.

    With a history it is the full reread: it goes back to where polling ended, were that longer ago than the window, and
    what had not ended is found too, also where it seemed to have vanished, or found to have vanished.
    """
    seen = _JobAccumulator()
    reach = max(window, FULL_REREAD_INTERVAL + WATERMARK_MARGIN)
    known = history.jobs_newest_first() if history else []
    latest = known[0].started if known else -math.inf  # a listing whose first page has nothing as new is in no order
    missing = history.unfinished_jobs() if history else []
    for page in seen.read(ask()):
        polled_to = _polled_to(history, seen.as_of) if history else math.inf
        if page.has_more and not seen.newest_first:
            seen = _read_by_range(ask, seen.as_of, max(reach, seen.as_of - polled_to))
            break
        if page.has_more and seen.newest >= latest and seen.reaches(min(seen.as_of - reach, polled_to)):
            break
    else:
        return _find_missing(ask, seen, missing)
    if history is None or not history.jobs:
        # Deeper than this nothing new can lie later on: what is to come starts after what was read.
        for status in sorted(IN_PROGRESS):
            seen.read_all(ask(status=status))
        _look_for_success(ask, seen)
    return _find_missing(ask, seen, missing)


def read_incremental(ask: ListSyncJobs, window: float, history: SourceHistory) -> PollData:
    """Read what is new: from the oldest job in progress, or the newest that ended, less a margin."""
    since = watermark(history)
    if since is None:
        return read_full(ask, window, history)
    seen = _JobAccumulator()
    seen.read_all(ask(since=since))
    # A status that nobody knows cannot be asked for: such a job, once out of sight, waits for the full reread.
    return _find_missing(ask, seen, [job for job in history.jobs_in_progress() if job.status in IN_PROGRESS])


def read_for_backfill(ask: ListSyncJobs, since: float | None, window: float) -> PollData:
    """Read back to a moment, and far enough beyond to know how things stood then; None is all that AWS lists.

    A job that was in progress at that moment is found if it had begun in the week before.
    """
    seen = _JobAccumulator()
    for page in seen.read(ask()):
        if since is not None and page.has_more and seen.newest_first and seen.covers(since, max(window, MAX_JOB_AGE)):
            break
    return seen.reading(())


def watermark(history: SourceHistory) -> float | None:
    """Give the start time to ask from; None where nothing is known to start from.

    A job that goes on for weeks does not hold it back: it rises with the newest jobs, and the old one is asked for
    by itself.
    """
    jobs = history.jobs_newest_first()
    if not jobs:
        return None
    oldest = next(iter(history.jobs_in_progress()), jobs[0])
    since = min(oldest.started, history.as_of) - WATERMARK_MARGIN
    if len(jobs) >= KNOWN_PER_POLL:
        since = max(since, min(jobs[KNOWN_PER_POLL - 1].started, history.as_of - WATERMARK_MARGIN))
    return since


def _polled_to(history: SourceHistory, now: float) -> float:
    """Give the start time from which on a job may be one that no poll has seen."""
    since = watermark(history)
    if since is not None:
        return since
    # A source found long after its target was first watched: what went on then, and has ended since, began before.
    return history.as_of - (MAX_JOB_AGE if now - history.as_of > FULL_REREAD_INTERVAL else WATERMARK_MARGIN)


def _find_missing(ask: ListSyncJobs, seen: _JobAccumulator, in_progress: list[SyncJob]) -> PollData:
    """Find the jobs that had not ended and have not been seen: by status, then by their start."""
    statuses = sorted(IN_PROGRESS, key=lambda status: (all(job.status != status for job in in_progress), status))
    for status in statuses:
        if seen.has(in_progress):
            break
        seen.read_all(ask(status=status))
    if not seen.has(in_progress):
        lost = [job.started for job in in_progress if job.execution_id not in seen.ids]
        seen.read_all(ask(since=min(lost) - WATERMARK_MARGIN))
    return seen.reading(in_progress)


def _read_by_range(ask: ListSyncJobs, as_of: float, reach: float) -> _JobAccumulator:
    """Read ranges to their ends, each wider than the one before, until one has enough, whatever the order."""
    while True:
        seen = _JobAccumulator(as_of, newest_first=False)
        since = as_of - reach if reach < _ALL_OF_TIME else None
        seen.read_all(ask(since=since))
        if since is None or seen.has_enough:
            return seen
        reach *= _WIDEN


def _look_for_success(ask: ListSyncJobs, seen: _JobAccumulator) -> None:
    for status in (SyncJobStatus.SUCCEEDED, SyncJobStatus.INCOMPLETE):
        wanted = {SyncJobStatus.SUCCEEDED} if status is SyncJobStatus.SUCCEEDED else INDEXED
        if seen.statuses & wanted:
            continue
        for page in seen.read(ask(status=status)):
            if seen.newest_first and page.jobs:
                break


class _JobAccumulator:
    """What has been read so far."""

    def __init__(self, as_of: float = 0.0, *, newest_first: bool = True) -> None:
        self.as_of = as_of
        self.newest_first = newest_first
        self._is_whole = True
        self._until = as_of
        self.ids: set[str] = set()
        self.statuses: set[str] = set()
        self._jobs: list[SyncJob] = []
        self._warnings: list[str] = []
        self._last_start = math.inf
        self.newest = -math.inf

    def read(self, pages: Iterable[JobPage]) -> Iterator[JobPage]:
        """Take in a listing, yielding each page when it has been taken in."""
        self._last_start = math.inf
        for page in pages:
            self.as_of = self.as_of or page.as_of
            self._until = max(self._until, page.as_of)
            self._warnings += page.warnings
            self._is_whole &= page.is_complete
            for job in page.jobs:
                self._take(job)
            yield page

    def read_all(self, pages: Iterable[JobPage]) -> None:
        """Take in a listing to its end."""
        for _ in self.read(pages):
            pass

    def has(self, jobs: Iterable[SyncJob]) -> bool:
        """Tell whether all these jobs have been seen."""
        return all(job.execution_id in self.ids for job in jobs)

    @property
    def has_enough(self) -> bool:
        """Tell whether the latest jobs are there, and among them one that ended without failing."""
        ended_well = any(job.is_terminal and job.status != SyncJobStatus.FAILED for job in self._jobs)
        return len(self.ids) >= (LATEST_JOBS if ended_well else MAX_FAILURE_LOOKBACK)

    def reaches(self, moment: float) -> bool:
        """Tell whether a newest-first listing has been read back to a moment, and far enough."""
        return self.has_enough and self._last_start < moment

    def covers(self, moment: float, reach: float) -> bool:
        """Tell whether a newest-first listing says how things stood at a moment, a success before it included."""
        return self._last_start < moment - reach and any(
            job.status == SyncJobStatus.SUCCEEDED and job.end_or_start <= moment for job in self._jobs
        )

    def reading(self, in_progress: Iterable[SyncJob]) -> PollData:
        """Give what was read; a job in progress that was not there has vanished, unless something was unreadable."""
        missed = frozenset(job.execution_id for job in in_progress) - self.ids
        vanished = missed if self._is_whole else frozenset()
        return PollData(tuple(self._jobs), self.as_of, self._until, vanished, tuple(dict.fromkeys(self._warnings)))

    def _take(self, job: SyncJob) -> None:
        self.newest_first &= job.started <= self._last_start
        self._last_start = job.started
        self.newest = max(self.newest, job.started)
        self._jobs.append(job)
        self.ids.add(job.execution_id)
        self.statuses.add(job.status)
