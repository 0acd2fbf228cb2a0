"""Whether a sync job indexed content: what users want to know, instead of its status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.model import SyncJobStatus

if TYPE_CHECKING:
    from exporter.domain.model import DocumentCounts, SyncJob


def reached_index(job: SyncJob, documents: DocumentCounts) -> bool:
    """Return whether a job with these counts indexed content.

    A SUCCEEDED job without changes counts: the index is up to date. An INCOMPLETE job counts unless all its documents
    failed; without a count of scanned documents, if it changed at least one. So does one with failure reasons: these
    may be about documents that were scanned and ignored, and that are not among the failed ones. FAILED and ABORTED
    jobs do not count, because nothing shows how far they came.
    """
    if job.status != SyncJobStatus.INCOMPLETE:
        return job.status == SyncJobStatus.SUCCEEDED
    if documents.scanned is None or job.has_failure_reasons:
        return any((documents.added, documents.modified, documents.deleted))
    return (documents.failed or 0) < documents.scanned
