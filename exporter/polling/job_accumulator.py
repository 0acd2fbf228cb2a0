"""The jobs that one poll has read so far, and whether they show that the listing is sorted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from exporter.domain.counting.content import reached_index
from exporter.domain.counting.eviction import LATEST_JOBS
from exporter.domain.counting.source_history import PollData
from exporter.domain.model import SyncJobStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.domain.model import SyncJob
    from exporter.providers import JobPage

MAX_STREAK_LOOKBACK = 100  # the most jobs that a read goes back to find one that indexed content


class JobAccumulator:
    """The jobs that one poll has read so far, from one or more listings."""

    def __init__(self, as_of: float = 0.0, *, newest_first: bool = True) -> None:
        """Start without jobs; an `as_of` of 0 is replaced by the time of the first response."""
        self.as_of = as_of
        self.newest_first = newest_first
        self.newest = -math.inf
        self.last_start = math.inf
        self.pages = 0
        self.ids: set[str] = set()
        self.statuses: set[str] = set()
        self.is_complete = True  # whether every entry could be parsed
        self.has_content = False  # whether one of the jobs indexed content
        self._end = as_of
        self._jobs: list[SyncJob] = []
        self._warnings: list[str] = []

    def read(self, pages: Iterable[JobPage]) -> Iterator[JobPage]:
        """Yield each page of a listing after its jobs have been added."""
        self.last_start = math.inf
        for page in pages:
            self.pages += 1
            self.as_of = self.as_of or page.as_of
            self._end = max(self._end, page.as_of)
            self._warnings += page.warnings
            self.is_complete &= page.is_complete
            for job in page.jobs:
                self._add(job)
            yield page

    def read_all(self, pages: Iterable[JobPage]) -> None:
        """Add the jobs of all pages of a listing."""
        for _ in self.read(pages):
            pass

    def read_pages(self, pages: Iterable[JobPage], limit: float) -> bool:
        """Add the jobs of the first pages of a listing; return whether these are all of its pages."""
        first = self.pages
        return all(self.pages - first < limit or not page.has_more for page in self.read(pages))

    @property
    def starts(self) -> list[float]:
        """The starts of all jobs."""
        return [job.started for job in self._jobs]

    def has_all(self, jobs: Iterable[SyncJob]) -> bool:
        """Return whether all of these jobs have been read."""
        return all(job.execution_id in self.ids for job in jobs)

    @property
    def has_enough(self) -> bool:
        """Whether the latest jobs have been read, including one that ends every streak."""
        return len(self.ids) >= (LATEST_JOBS if self.has_content else MAX_STREAK_LOOKBACK)

    def reaches(self, time: float) -> bool:
        """Return whether a newest-first listing has been read back to a time and has yielded enough jobs."""
        return self.has_enough and self.last_start < time

    def covers(self, time: float, seconds: float) -> bool:
        """Return whether a newest-first listing has been read far enough to know the state of the source at a time.

        This is true if it goes back to `seconds` before the time, and to a job that had succeeded by then. A job whose
        outcome is not listed is assumed to have succeeded, because explaining each such job would take a request.
        """
        return self.last_start < time - seconds and any(
            (job.status == SyncJobStatus.SUCCEEDED or job.needs_explanation) and job.end_or_start <= time
            for job in self._jobs
        )

    def to_poll_data(self, unfinished: Iterable[SyncJob]) -> PollData:
        """Return the data of the poll. Unread jobs that had not ended have vanished, unless an entry was unreadable."""
        missing = frozenset(job.execution_id for job in unfinished) - self.ids
        vanished = missing if self.is_complete else frozenset()
        return PollData(tuple(self._jobs), self.as_of, self._end, vanished, tuple(dict.fromkeys(self._warnings)))

    def _add(self, job: SyncJob) -> None:
        self.newest_first &= job.started <= self.last_start
        self.last_start = job.started
        self.newest = max(self.newest, job.started)
        self._jobs.append(job)
        self.ids.add(job.execution_id)
        self.statuses.add(job.status)
        self.has_content |= reached_index(job, job.documents)
