"""The search for jobs that had not ended, and that the listings of a poll do not reach."""

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

MAX_PAGES = 30  # of one listing: 300 jobs, which is a day with a job every five minutes
MAX_SEARCHED_JOBS = 10  # jobs that one poll searches one by one


class ListSyncJobs(Protocol):
    """Lists the sync jobs of one data source, as `Provider.sync_jobs` does."""

    def __call__(
        self, *, since: float | None = None, until: float | None = None, status: str | None = None
    ) -> Iterator[JobPage]:
        """Yield the pages of the listing; each is requested when it is needed."""


def find_missing(list_jobs: ListSyncJobs, jobs: JobAccumulator, unfinished: list[SyncJob]) -> PollData:
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
    if jobs.has_all(unfinished):
        return jobs.to_poll_data(unfinished)
    since = min(job.started for job in unfinished if job.execution_id not in jobs.ids) - WATERMARK_MARGIN
    if jobs.read_pages(list_jobs(since=since), MAX_PAGES):
        return jobs.to_poll_data(unfinished)
    return jobs.to_poll_data(_find_one_by_one(list_jobs, jobs, unfinished))


def _find_one_by_one(list_jobs: ListSyncJobs, jobs: JobAccumulator, unfinished: list[SyncJob]) -> list[SyncJob]:
    """Search missing jobs in a short range around their starts, and return the jobs that were searched.

    This takes one request for each, no matter how many jobs have started since. Jobs with an undocumented status come
    last: there may be many of them, and only a few of them have ended.
    """
    missing = [job for job in unfinished if job.execution_id not in jobs.ids]
    searched = sorted(missing, key=lambda job: (job.status not in IN_PROGRESS, job.started))[:MAX_SEARCHED_JOBS]
    for job in searched:
        jobs.read_all(list_jobs(since=job.started - WATERMARK_MARGIN, until=job.started + WATERMARK_MARGIN))
    return searched
