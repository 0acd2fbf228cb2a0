"""The problems of a data source's documents: documents that failed, are missing, or were deleted.

Failures and deletions are events. They are reported for a day, no matter which syncs have run since. The next sync,
which may start within the hour, neither retries a failed document nor restores a deleted one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.model import INDEXED, SyncJobStatus
from exporter.domain.units import DAY
from exporter.status.formatting import format_time, percentage
from exporter.status.ratios import deleted_ratio, failed_ratio
from exporter.status.timing import is_judged

if TYPE_CHECKING:
    from exporter.domain.model import SyncJob
    from exporter.domain.source_view import SourceView

# The constants of the alerts.
MIN_BULK_DELETION = 100  # documents
MAX_DELETED_RATIO = 0.2


def documents_failed(view: SourceView) -> str | None:
    """Return the problem that too many documents of a sync failed."""
    jobs = [
        job for job in _ended_within_a_day(view) if job.status in INDEXED and is_judged(view, job, "max_failed_ratio")
    ]
    ratios = [(ratio, job) for job in jobs if (ratio := failed_ratio(job.documents))]
    ratio, job = max(ratios, key=lambda pair: pair[0].value, default=(None, None))
    allowed = view.objectives.max_failed_ratio
    if ratio is None or job is None or ratio.value <= allowed:
        return None
    return (
        f"{ratio.part} of {ratio.total} {ratio.kind} documents failed ({percentage(ratio.value)}) in the sync that "
        f"ended at {format_time(job.end_or_start)}, more than the objective of {percentage(allowed)}."
    )


def documents_deleted(view: SourceView) -> str | None:
    """Return the problem that a sync deleted many documents."""
    deletions = [(ratio, job) for job in _ended_within_a_day(view) if (ratio := deleted_ratio(job.documents))]
    bulk = [(ratio, job) for ratio, job in deletions if ratio.part >= MIN_BULK_DELETION]
    ratio, job = max(bulk, key=lambda pair: pair[0].value, default=(None, None))
    if ratio is None or job is None or ratio.value <= MAX_DELETED_RATIO:
        return None
    return (
        f"The sync that ended at {format_time(job.end_or_start)} deleted {ratio.part} of {ratio.total} documents "
        f"({percentage(ratio.value)})."
    )


def scanned_nothing(view: SourceView) -> str | None:
    """Return the problem that the last sync succeeded and scanned too few documents."""
    last, required = view.last_completed, view.objectives.min_documents_scanned
    if last is None or last.status != SyncJobStatus.SUCCEEDED or not is_judged(view, last, "min_documents_scanned"):
        return None
    scanned = last.documents.scanned
    if scanned is None or scanned >= required:
        return None
    return f"The last sync succeeded with {scanned} documents scanned, fewer than the objective of {required:.0f}."


def added_nothing(view: SourceView) -> str | None:
    """Return the problem that the first sync scanned documents, and that no document was added then or later.

    The oldest job is the first one if it started within a day of the source's creation. Then AWS and the exporter
    cannot have dropped an earlier one.
    """
    first, created = (view.jobs[-1] if view.jobs else None), view.description.created if view.description else None
    if first is None or created is None or first.started - created >= DAY or first not in _ended_within_a_day(view):
        return None
    scanned, is_added = first.documents.scanned, any(job.documents.added for job in view.jobs)
    if first.status not in INDEXED or not scanned or first.documents.added is None or is_added:
        return None
    container = view.snapshot.source.id.service.container.text
    return (
        f"The first sync scanned {scanned} documents and added none: the {container} has no content of the data source."
    )


def _ended_within_a_day(view: SourceView) -> list[SyncJob]:
    """Return the jobs that ended within the day before the last successful poll."""
    as_of = view.snapshot.polled_at
    return [job for job in view.jobs if job.is_terminal and as_of is not None and as_of - job.end_or_start < DAY]
