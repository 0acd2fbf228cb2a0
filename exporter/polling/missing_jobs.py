"""The search for jobs that had not ended, and that are missing in the listings of a poll."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from exporter.domain.model import IN_PROGRESS
from exporter.polling.watermark import WATERMARK_MARGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.counting.source_history import PollData
    from exporter.domain.model import SyncJob
    from exporter.polling.job_accumulator import JobAccumulator
    from exporter.providers import JobPage

MAX_PAGES = 30  # of one listing: 300 jobs, one every five minutes for a day
MAX_SEARCHED_JOBS = 10  # the number of jobs that one poll searches one by one


class ListSyncJobs(Protocol):
    """The type of a function that lists the sync jobs of one data source, like `Provider.sync_jobs`."""

    def __call__(
        self, *, since: float | None = None, until: float | None = None, status: str | None = None
    ) -> Iterator[JobPage]:
        """Yield the pages of the listing, and request each only when it is needed."""


def find_missing(list_jobs: ListSyncJobs, jobs: JobAccumulator, unfinished: list[SyncJob]) -> PollData:
    """Search for the unfinished jobs that have not been read. Jobs that are not found have vanished.

    A job that has not ended can be anywhere in the listing, and the poll may not have read that far. It is searched for
    by status, and first by its last known one, which has probably not changed. If it is not listed as in progress, it
    has ended, and is searched for by its start. A job that neither listing has is reported as vanished. AWS has deleted
    it, and otherwise it would be in progress forever.
    """
    statuses = sorted(IN_PROGRESS, key=lambda status: (all(job.status != status for job in unfinished), status))
    for status in statuses:
        if jobs.has_all(unfinished):
            break
        jobs.read_all(list_jobs(status=status))
    if jobs.has_all(unfinished):
        return jobs.to_poll_data(unfinished)
    since = min(job.started for job in unfinished if job.execution_id not in jobs.ids) - WATERMARK_MARGIN
    if jobs.read_pages(list_jobs(since=since), MAX_PAGES):
        return jobs.to_poll_data(unfinished)
    return jobs.to_poll_data(_find_one_by_one(list_jobs, jobs, unfinished))


def _find_one_by_one(list_jobs: ListSyncJobs, jobs: JobAccumulator, unfinished: list[SyncJob]) -> list[SyncJob]:
    """Search for missing jobs in a short range around their starts, and return the jobs that were searched for.

    Each takes one request, no matter how many jobs have started since. Jobs with an undocumented status come last:
    there may be many of them, and only a few have ended.
    """
    missing = [job for job in unfinished if job.execution_id not in jobs.ids]
    searched = sorted(missing, key=lambda job: (job.status not in IN_PROGRESS, job.started))[:MAX_SEARCHED_JOBS]
    for job in searched:
        jobs.read_all(list_jobs(since=job.started - WATERMARK_MARGIN, until=job.started + WATERMARK_MARGIN))
    return searched
