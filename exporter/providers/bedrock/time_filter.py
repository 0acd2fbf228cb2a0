"""Filters ingestion jobs by time, because the API does not.

The API sorts jobs by their start on request. So the reader stops after the page with the first job that started too
early. If a page is in another order, the listing is not sorted, and is read to its end.

A listing may be sorted within its pages only, and then the first page has old jobs. Polls search from a time at which
they know a job. So a reader that has not seen any job since that time does not stop either.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.providers.protocols import JobPage


def started_within(pages: Iterable[JobPage], since: float | None, until: float | None) -> Iterator[JobPage]:
    """Yield the pages of a listing that may have jobs from `since` to `until`, with only these jobs."""
    earliest, latest = -math.inf if since is None else since, math.inf if until is None else until
    newest_first, newest, last = True, -math.inf, math.inf
    for page in pages:
        starts = [last, *(job.started for job in page.jobs)]
        newest_first &= all(later >= earlier for later, earlier in pairwise(starts))
        newest = max(newest, *starts[1:], -math.inf)
        last = starts[-1]
        is_far_enough = newest_first and last < earliest <= newest
        jobs = tuple(job for job in page.jobs if earliest <= job.started <= latest)
        yield replace(page, jobs=jobs, has_more=page.has_more and not is_far_enough)
        if is_far_enough:
            return
