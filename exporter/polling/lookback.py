"""How far back one poll reads the sync jobs of a data source.

AWS documents neither the order of sync jobs in a listing nor the meaning of its filter by time: the filter may select
jobs that started in the range, or jobs that were active in it. The reads are correct in all cases:

- A listing with a filter is read to its last page, so its order does not matter. Jobs that only one meaning selects do
  no harm, because folding a known job again changes nothing. Jobs in progress that it does not select are searched by
  their status (`find_missing`).
- The listing without a filter may have thousands of pages, so it is read in part. To stop before its last page is
  correct only if the newest jobs come first. A read relies on this order as long as every page so far has it. After the
  first page without it, it reads time ranges instead, each to its last page.

`read_full` reads the jobs of `polling.window`, and at least the latest ones. The initial poll of a source calls it, and
it is repeated every FULL_REREAD_INTERVAL to find anything that other polls missed. All other polls call
`read_incremental`, which reads from the watermark, and costs one request if nothing has changed. `read_for_backfill` is
for the `backfill` command.

The length of a poll depends on the window and on the jobs of the last FULL_REREAD_INTERVAL, and not on how long ago the
last poll was. After a long absence, `read_full` leaves an unread range, and each `read_unread` reads a part of this
range. The same steps reread a range in which entries could not be parsed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.domain.counting.unparsed_range import UnparsedRange
from exporter.domain.model import IN_PROGRESS
from exporter.polling.full_read import read_full
from exporter.polling.job_accumulator import JobAccumulator
from exporter.polling.missing_jobs import find_missing
from exporter.polling.unparsed import with_unparsed
from exporter.polling.watermark import MAX_JOB_AGE, WATERMARK_MARGIN, watermark

if TYPE_CHECKING:
    from exporter.domain.counting.source_history import PollData, SourceHistory
    from exporter.domain.counting.unread_range import UnreadRange
    from exporter.polling.missing_jobs import ListSyncJobs

MAX_STEP_PAGES = 10  # in one step of a catch-up


def read_incremental(list_jobs: ListSyncJobs, window: float, history: SourceHistory) -> PollData:
    """Read the jobs since the watermark, and the jobs that were in progress; without a watermark, read in full."""
    since = watermark(history)
    if since is None:
        return read_full(list_jobs, window, history)
    jobs = JobAccumulator()
    jobs.read_all(list_jobs(since=since))
    # AWS rejects a filter by an undocumented status, so a job with such a status is left to the next full reread.
    data = find_missing(list_jobs, jobs, [job for job in history.jobs_in_progress() if job.status in IN_PROGRESS])
    return replace(data, unread=history.unread, unparsed=with_unparsed(history.unparsed, jobs, since))


def read_unread(list_jobs: ListSyncJobs, unread: UnreadRange, unparsed: UnparsedRange | None = None) -> PollData:
    """Read the next part of an unread range. If that has more than MAX_STEP_PAGES, the next step is shorter.

    If entries cannot be parsed, the part is added to the range that a later catch-up rereads.
    """
    jobs = JobAccumulator()
    pages = list_jobs(since=unread.start - WATERMARK_MARGIN, until=unread.next_end + WATERMARK_MARGIN)
    is_whole = jobs.read_pages(pages, MAX_STEP_PAGES if unread.can_be_split else math.inf)
    is_short = jobs.pages <= MAX_STEP_PAGES / 4
    rest = unread.after_step(jobs.starts, is_short=is_short) if is_whole else unread.halve_step()
    if is_whole and not jobs.is_complete:
        part = UnparsedRange(unread.start, unread.next_end, since=unread.unparsed_since or jobs.as_of)
        unparsed = unparsed if part.is_given_up(jobs.as_of) else part.merge(unparsed)
    return replace(jobs.to_poll_data(()), unread=rest, unparsed=unparsed)


def read_for_backfill(list_jobs: ListSyncJobs, since: float | None, window: float) -> PollData:
    """Read the jobs since a time, and enough earlier ones to know the state of the source at that time.

    If `since` is None, all jobs that AWS lists are read. A job that was in progress at `since` is found if it had
    started at most MAX_JOB_AGE before.
    """
    jobs = JobAccumulator()
    for page in jobs.read(list_jobs()):
        if since is not None and page.has_more and jobs.newest_first and jobs.covers(since, max(window, MAX_JOB_AGE)):
            break
    return jobs.to_poll_data(())
