"""The selection and the order of sync jobs in a listing. AWS documents neither."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.simulator.job import PlannedJob


def ordered(jobs: list[PlannedJob], order: str) -> list[PlannedJob]:
    """Return jobs in an order: newest, oldest or shuffled."""
    if order == "shuffled":
        return sorted(jobs, key=lambda job: zlib.crc32(job.execution_id.encode()))
    return sorted(jobs, key=lambda job: job.started, reverse=order == "newest")


def is_within(job: PlannedJob, since: float | None, until: float | None, time_filter: str) -> bool:
    """Return whether a filter selects a job by its start (start), or by the overlap of its run (overlap)."""
    # The filter applies to the times in the response, which are rounded to milliseconds.
    last = job.started if time_filter == "start" else job.ends
    return (since is None or round(last, 3) >= since) and (until is None or round(job.started, 3) <= until)
