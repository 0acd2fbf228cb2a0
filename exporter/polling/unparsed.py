"""The time range in which a poll has skipped entries that it could not parse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.counting.unparsed_range import UnparsedRange
from exporter.polling.watermark import FULL_REREAD_INTERVAL

if TYPE_CHECKING:
    from exporter.polling.job_accumulator import JobAccumulator


def with_unparsed(before: UnparsedRange | None, jobs: JobAccumulator, start: float) -> UnparsedRange | None:
    """Return the unparsed range after a poll that has read the jobs since a start time.

    The polls until the next full reread probably list the same entries. So the range extends to that reread, and the
    history does not change with each of these polls.
    """
    if jobs.is_complete or (before and before.covers(start, jobs.as_of)):
        return before
    return UnparsedRange(start, jobs.as_of + FULL_REREAD_INTERVAL, since=jobs.as_of).merge(before)
