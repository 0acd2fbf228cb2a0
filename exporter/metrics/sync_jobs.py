"""The metrics of a data source's sync jobs; all are as of the source's last successful poll."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.model import DOCUMENT_KINDS, ERROR_CODES, TERMINAL, SyncJobStatus
from exporter.metrics.families import Counter, Durations, Gauge, state_of, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from exporter.domain.model import DocumentCounts, SyncJob
    from exporter.domain.source_view import Context
    from exporter.metrics.families import Family, Sample

_STATUSES = tuple(str(status) for status in SyncJobStatus)
_ENDED = tuple(status for status in _STATUSES if status in TERMINAL)


def _jobs_in_window(context: Context) -> Iterator[Sample]:
    if context.history is None:
        return
    counts = dict.fromkeys(_STATUSES, 0)
    for job in context.jobs:
        if job.started > context.now - context.window:
            counts[job.status] = counts.get(job.status, 0) + 1
    for status, count in counts.items():
        yield (status,), count


def _completed(context: Context) -> Iterator[Sample]:
    if context.history is not None:
        for status in _ENDED:
            yield (status,), context.history.completed.get(status, 0)


def _failures(context: Context) -> Iterator[Sample]:
    if context.history is not None:
        born = dict.fromkeys(((code, "") for code in ERROR_CODES), 0)
        yield from {**born, **context.history.failures}.items()


def _total(kind: str) -> Callable[[Context], Iterable[Sample]]:
    def samples(context: Context) -> Iterator[Sample]:
        return value_of(None if context.history is None else context.history.documents.get(kind, 0))

    return samples


def _figure(kind: str, choose: Callable[[Context], SyncJob | None]) -> Callable[[Context], Iterable[Sample]]:
    def samples(context: Context) -> Iterator[Sample]:
        job = choose(context)
        documents: DocumentCounts | None = job.documents if job else None
        return value_of(getattr(documents, kind) if documents else None)

    return samples


def _running(context: Context) -> Iterator[Sample]:
    return value_of(None if context.history is None else len(context.running))


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
    Durations(
        "qbusiness_sync_job_duration_seconds",
        "endTime minus startTime of sync jobs that ended while the data source was watched, by terminal status.",
        lambda context: context.history.durations if context.history else {},
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
        lambda context: state_of(context.jobs[0].status if context.jobs else None, _STATUSES),
        ("status",),
    ),
    Gauge("qbusiness_sync_running", "Sync jobs in progress as of the last poll.", _running),
    Gauge(
        "qbusiness_running_sync_start_timestamp_seconds",
        "startTime of the oldest sync job in progress as of the last poll; absent when none is.",
        lambda context: value_of(context.oldest.started if context.oldest else None),
    ),
    *(
        Gauge(
            f"qbusiness_running_sync_documents_{kind}",
            f"documents{kind.capitalize()} of the oldest sync job in progress, as of the last poll.",
            _figure(kind, lambda context: context.oldest),
        )
        for kind in DOCUMENT_KINDS
    ),
    Gauge(
        f"{_LAST}_status",
        "1 for the status of the sync job that ended last, as of the last poll; 0 for the others.",
        lambda context: state_of(context.last.status if context.last else None, _STATUSES),
        ("status",),
    ),
    Gauge(
        f"{_LAST}_start_timestamp_seconds",
        "startTime of the sync job that ended last, as of the last poll.",
        lambda context: value_of(context.last.started if context.last else None),
    ),
    Gauge(
        f"{_LAST}_end_timestamp_seconds",
        "endTime of the sync job that ended last, as of the last poll; absent when not said.",
        lambda context: value_of(context.last.ended if context.last else None),
    ),
    Gauge(
        f"{_LAST}_duration_seconds",
        "endTime minus startTime of the sync job that ended last, as of the last poll; absent when not said.",
        lambda context: value_of(context.last.duration if context.last else None),
    ),
    *(
        Gauge(
            f"{_LAST}_documents_{kind}",
            f"documents{kind.capitalize()} of the sync job that ended last, as of the last poll; absent when not said.",
            _figure(kind, lambda context: context.last),
        )
        for kind in DOCUMENT_KINDS
    ),
    Gauge(
        "qbusiness_last_successful_sync_timestamp_seconds",
        "endTime of the last SUCCEEDED sync job, however long ago, as of the last poll; absent when there was none.",
        lambda context: value_of(context.history.last_succeeded if context.history else None),
    ),
    Gauge(
        "qbusiness_last_indexed_sync_timestamp_seconds",
        "endTime of the last SUCCEEDED or INCOMPLETE sync job, as of the last poll: content last reached the index.",
        lambda context: value_of(context.history.last_indexed if context.history else None),
    ),
    Gauge(
        "qbusiness_consecutive_failed_syncs",
        "FAILED sync jobs since the last ended one that was not, as of the last poll; the first poll reads back 100.",
        lambda context: value_of(context.history.consecutive_failures() if context.history else None),
    ),
)

FRESHNESS_FAMILIES: tuple[Family, ...] = (
    Gauge(
        "qbusiness_poll_success",
        "1 when the last poll of the data source worked; 0 when all else here is older than that; absent after a "
        "restart until the first poll.",
        lambda context: value_of(context.snapshot.poll_succeeded),
    ),
    Gauge(
        "qbusiness_last_successful_poll_timestamp_seconds",
        "When the data source was last polled with success, by AWS's clock.",
        lambda context: value_of(context.snapshot.polled_at),
    ),
)
