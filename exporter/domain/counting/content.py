"""Whether a sync job indexed content, which matters more to users than its status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.model import SyncJobStatus

if TYPE_CHECKING:
    from exporter.domain.model import DocumentCounts, SyncJob


def reached_index(job: SyncJob, documents: DocumentCounts) -> bool:
    """Return whether a job with these counts indexed content.

    A SUCCEEDED job without changes did, because the index is up to date. An INCOMPLETE job did unless all of its
    documents failed. If the number of scanned documents is unknown, it must have changed at least one document. So must
    a job with failure reasons: these may be about documents that were scanned and ignored, and that do not count as
    failed. FAILED and ABORTED jobs did not, because nothing shows how far they came.
    """
    if job.status != SyncJobStatus.INCOMPLETE:
        return job.status == SyncJobStatus.SUCCEEDED
    if documents.scanned is None or job.has_failure_reasons:
        return any((documents.added, documents.modified, documents.deleted))
    return (documents.failed or 0) < documents.scanned
