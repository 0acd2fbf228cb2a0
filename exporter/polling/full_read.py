"""The full read of a data source: its initial poll, and the reread every FULL_REREAD_INTERVAL."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from exporter.domain.counting.content import reached_index
from exporter.domain.counting.unread_range import UnreadRange
from exporter.domain.model import IN_PROGRESS, SyncJobStatus
from exporter.domain.units import DAY, HOUR
from exporter.polling.job_accumulator import JobAccumulator
from exporter.polling.missing_jobs import MAX_PAGES, find_missing
from exporter.polling.unparsed import with_unparsed
from exporter.polling.watermark import FULL_REREAD_INTERVAL, WATERMARK_MARGIN, polled_to

if TYPE_CHECKING:
    from exporter.domain.counting.source_history import PollData, SourceHistory
    from exporter.domain.counting.unparsed_range import UnparsedRange
    from exporter.polling.missing_jobs import ListSyncJobs

_RECENT = HOUR  # read instead by a poll with few pages if the newest jobs do not come first
_RANGE_FACTOR = 4  # each time range is this many times as long as the one before
_MAX_RANGE = 400 * DAY  # a range of this length is replaced by the whole listing


def read_full(
    list_jobs: ListSyncJobs,
    window: float,
    history: SourceHistory | None = None,
    *,
    max_window_pages: float = math.inf,
) -> PollData:
    """Read the jobs of the window, the latest jobs, and the jobs in progress.

    With a history, the read goes back at least to the last poll, which after an outage was before the window. If this
    takes more than MAX_PAGES, the rest is returned as unread. The read also searches for every tracked job that was
    never seen to end, including jobs that had vanished from the listing. Older entries that could not be parsed are
    returned as unread, so that a catch-up reads them again.

    Without tracked jobs, it also searches by status for jobs that are deeper in the listing: jobs still in progress,
    and the last success. Later reads need not do so, because every new job starts after the jobs of this read.

    With `max_window_pages`, it may leave jobs of the window unread as well, and is then not a full read.
    """
    read = _FullRead(list_jobs, window, history, max_window_pages)
    if not read.read_listing():
        read.search_by_status()
    unfinished = history.unfinished_jobs() if history else []
    data = find_missing(list_jobs, read.jobs, unfinished)
    unread, unparsed = read.ranges_to_read()
    return replace(data, unread=unread, unparsed=unparsed, window=window if read.has_window else None)


class _FullRead:
    """The progress of a full read. `unread` is the range that it leaves to a catch-up."""

    def __init__(
        self, list_jobs: ListSyncJobs, window: float, history: SourceHistory | None, max_window_pages: float
    ) -> None:
        self._list_jobs = list_jobs
        self._min_range = max(window, FULL_REREAD_INTERVAL + WATERMARK_MARGIN)
        self._history = history
        self._max_window_pages = max_window_pages
        tracked = history.jobs_newest_first() if history else []
        # A listing may be sorted within its pages only. Then the first page looks newest-first although its jobs are
        # from the middle. So a read stops only after it has seen a job at least as new as the newest tracked one.
        self._newest_tracked = tracked[0].started if tracked else -math.inf
        self.jobs = JobAccumulator()
        self.unread: UnreadRange | None = None
        self.has_window = True

    def read_listing(self) -> bool:
        """Read as much of the listing as necessary; return whether that was the whole listing."""
        for page in self.jobs.read(self._list_jobs()):
            if not page.has_more:
                continue
            has_newest = self.jobs.newest >= self._newest_tracked
            if not self.jobs.newest_first or (self.jobs.pages >= MAX_PAGES and not has_newest):
                self._read_time_ranges()
                return False
            if has_newest and self._is_far_enough():
                return False
        self.has_window = True
        return True

    def search_by_status(self) -> None:
        """Search for jobs that are deeper in the listing than this read, and that no other read has found."""
        is_initial = self._history is None or not self._history.jobs
        if is_initial or self.unread:
            for status in sorted(IN_PROGRESS):
                self.jobs.read_all(self._list_jobs(status=status))
        if is_initial:
            self._find_last_success()

    def ranges_to_read(self) -> tuple[UnreadRange | None, UnparsedRange | None]:
        """Return the range that is left to a catch-up, and the range with entries that could not be parsed."""
        before = self._history.unparsed if self._history else None
        start = self.unread.end if self.unread else min(self._window_start, self._polled_to)
        if self.unread or before is None or start <= before.start:
            return self.unread, with_unparsed(before if self.unread else None, self.jobs, start)
        return before.to_unread(self.jobs.as_of), with_unparsed(None, self.jobs, start)

    @property
    def _window_start(self) -> float:
        return self.jobs.as_of - self._min_range

    @property
    def _polled_to(self) -> float:
        return polled_to(self._history, self.jobs.as_of) if self._history else math.inf

    def _is_far_enough(self) -> bool:
        """Return whether a newest-first listing was read as far back as necessary, or as far as one poll may read."""
        self.has_window = self.jobs.reaches(self._window_start)
        if self.has_window and self.jobs.reaches(self._polled_to):
            return True
        if self.jobs.pages < (MAX_PAGES if self.has_window else self._max_window_pages):
            return False
        self.unread = self._unread_until(self.jobs.last_start)
        return True

    def _unread_until(self, end: float) -> UnreadRange:
        if self._history and self._history.unread:
            return structs.replace(self._history.unread, end=end, unparsed_since=None)
        return UnreadRange.between(min(self._polled_to, self._window_start), end)

    def _read_time_ranges(self) -> None:
        """Read time ranges that end now: one that goes back far enough, then longer ones until there are enough jobs.

        The first one is read completely. The longer ones are read in part, and add to its jobs.
        """
        as_of, earliest = self.jobs.as_of, min(self._window_start, self._polled_to)
        self.has_window = True
        limit = min(self._max_window_pages, MAX_PAGES if earliest < self._window_start else math.inf)
        seconds, self.jobs = as_of - earliest, JobAccumulator(as_of, newest_first=False)
        if not self.jobs.read_pages(self._list_jobs(since=earliest), limit):
            self.has_window = self._max_window_pages == math.inf
            recent = self._window_start if self.has_window else as_of - _RECENT
            self.jobs.read_all(self._list_jobs(since=recent))
            self.unread = self._unread_until(recent)
            return
        while not self.jobs.has_enough and seconds < _MAX_RANGE:
            seconds *= _RANGE_FACTOR
            self.jobs.read_pages(self._list_jobs(since=as_of - seconds if seconds < _MAX_RANGE else None), MAX_PAGES)

    def _find_last_success(self) -> None:
        """Search for the last job that succeeded and the last one that indexed content, if they were not read."""
        statuses = [] if self.jobs.has_content else [SyncJobStatus.INCOMPLETE]
        if SyncJobStatus.SUCCEEDED not in self.jobs.statuses:
            statuses.append(SyncJobStatus.SUCCEEDED)
        for status in statuses:
            for number, page in enumerate(self.jobs.read(self._list_jobs(status=status)), 1):
                has_content = any(reached_index(job, job.documents) for job in page.jobs)
                if self.jobs.newest_first and (has_content or number == MAX_PAGES):
                    break
