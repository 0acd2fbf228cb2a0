"""The metrics of a data source's sync jobs; all are as of the source's last successful poll."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.model import DOCUMENT_KINDS, ERROR_CODES, TERMINAL, SyncJobStatus
from exporter.metrics.families import Counter, Gauge, HistogramFamily, optional_sample, state_set

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from exporter.domain.model import DocumentCounts, SyncJob
    from exporter.domain.source_view import SourceView
    from exporter.metrics.families import Family, Sample

_STATUSES = tuple(str(status) for status in SyncJobStatus)
_ENDED = tuple(status for status in _STATUSES if status in TERMINAL)


def _jobs_in_window(view: SourceView) -> Iterator[Sample]:
    if view.history is None:
        return
    counts = dict.fromkeys(_STATUSES, 0)
    for job in view.jobs:
        if job.started > view.now - view.window:
            counts[job.status] = counts.get(job.status, 0) + 1
    for status, count in counts.items():
        yield (status,), count


def _completed(view: SourceView) -> Iterator[Sample]:
    if view.history is not None:
        for status in _ENDED:
            yield (status,), view.history.completed.get(status, 0)


def _failures(view: SourceView) -> Iterator[Sample]:
    if view.history is not None:
        born = dict.fromkeys(((code, "") for code in ERROR_CODES), 0)
        yield from {**born, **view.history.failures}.items()


def _total(kind: str) -> Callable[[SourceView], Iterable[Sample]]:
    def samples(view: SourceView) -> Iterator[Sample]:
        return optional_sample(None if view.history is None else view.history.documents.get(kind, 0))

    return samples


def _figure(kind: str, choose: Callable[[SourceView], SyncJob | None]) -> Callable[[SourceView], Iterable[Sample]]:
    def samples(view: SourceView) -> Iterator[Sample]:
        job = choose(view)
        documents: DocumentCounts | None = job.documents if job else None
        return optional_sample(getattr(documents, kind) if documents else None)

    return samples


def _running(view: SourceView) -> Iterator[Sample]:
    return optional_sample(None if view.history is None else len(view.running))


_LAST = "qbusiness_last_completed_sync"

WINDOW_FAMILIES: tuple[Family, ...] = (
    Gauge(
        "qbusiness_sync_jobs",
        "Sync jobs that started within polling.window, by current status as of the last poll.",
        _jobs_in_window,
        ("status",),
    ),
)

JOB_FAMILIES: tuple[Family, ...] = (
    Counter(
        "qbusiness_sync_jobs_completed_total",
        "Sync jobs that ended while the data source was watched, by terminal status, each once.",
        _completed,
        ("status",),
    ),
    Counter(
        "qbusiness_sync_job_failures_total",
        "FAILED sync jobs by error.errorCode, and by connector code from dataSourceErrorCode or error.errorMessage.",
        _failures,
        ("error_code", "connector_error_code"),
    ),
    HistogramFamily(
        "qbusiness_sync_job_duration_seconds",
        "endTime minus startTime of sync jobs that ended while the data source was watched, by terminal status.",
        lambda view: view.history.durations if view.history else {},
        ("status",),
    ),
    *(
        Counter(
            f"qbusiness_documents_{kind}_total",
            f"Documents {kind}, from the growth of documents{kind.capitalize()} of each sync job as of the last poll.",
            _total(kind),
        )
        for kind in DOCUMENT_KINDS
    ),
    Gauge(
        "qbusiness_sync_status",
        "1 for the status of the latest sync job, running or not, as of the last poll; 0 for the others.",
        lambda view: state_set(view.jobs[0].status if view.jobs else None, _STATUSES),
        ("status",),
    ),
    Gauge("qbusiness_sync_running", "Sync jobs in progress as of the last poll.", _running),
    Gauge(
        "qbusiness_running_sync_start_timestamp_seconds",
        "startTime of the oldest sync job in progress as of the last poll; absent when none is.",
        lambda view: optional_sample(view.oldest.started if view.oldest else None),
    ),
    *(
        Gauge(
            f"qbusiness_running_sync_documents_{kind}",
            f"documents{kind.capitalize()} of the oldest sync job in progress, as of the last poll.",
            _figure(kind, lambda view: view.oldest),
        )
        for kind in DOCUMENT_KINDS
    ),
    Gauge(
        f"{_LAST}_status",
        "1 for the status of the sync job that ended last, as of the last poll; 0 for the others.",
        lambda view: state_set(view.last.status if view.last else None, _STATUSES),
        ("status",),
    ),
    Gauge(
        f"{_LAST}_start_timestamp_seconds",
        "startTime of the sync job that ended last, as of the last poll.",
        lambda view: optional_sample(view.last.started if view.last else None),
    ),
    Gauge(
        f"{_LAST}_end_timestamp_seconds",
        "endTime of the sync job that ended last, as of the last poll; absent when not said.",
        lambda view: optional_sample(view.last.ended if view.last else None),
    ),
    Gauge(
        f"{_LAST}_duration_seconds",
        "endTime minus startTime of the sync job that ended last, as of the last poll; absent when not said.",
        lambda view: optional_sample(view.last.duration if view.last else None),
    ),
    *(
        Gauge(
            f"{_LAST}_documents_{kind}",
            f"documents{kind.capitalize()} of the sync job that ended last, as of the last poll; absent when not said.",
            _figure(kind, lambda view: view.last),
        )
        for kind in DOCUMENT_KINDS
    ),
    Gauge(
        "qbusiness_last_successful_sync_timestamp_seconds",
        "endTime of the last SUCCEEDED sync job, however long ago, as of the last poll; absent when there was none.",
        lambda view: optional_sample(view.history.last_succeeded if view.history else None),
    ),
    Gauge(
        "qbusiness_last_indexed_sync_timestamp_seconds",
        "endTime of the last SUCCEEDED or INCOMPLETE sync job, as of the last poll: content last reached the index.",
        lambda view: optional_sample(view.history.last_indexed if view.history else None),
    ),
    Gauge(
        "qbusiness_consecutive_failed_syncs",
        "FAILED sync jobs since the last ended one that was not, as of the last poll; the first poll reads back 100.",
        lambda view: optional_sample(view.history.consecutive_failures() if view.history else None),
    ),
)

FRESHNESS_FAMILIES: tuple[Family, ...] = (
    Gauge(
        "qbusiness_poll_success",
        "1 when the last poll of the data source worked; 0 when all else here is older than that; absent after a "
        "restart until the first poll.",
        lambda view: optional_sample(view.snapshot.poll_succeeded),
    ),
    Gauge(
        "qbusiness_last_successful_poll_timestamp_seconds",
        "When the data source was last polled with success, by AWS's clock.",
        lambda view: optional_sample(view.snapshot.polled_at),
    ),
)
