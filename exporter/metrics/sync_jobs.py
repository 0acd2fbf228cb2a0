"""Metrics of a data source's sync jobs. All of them are as of the last successful poll of the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.model import DOCUMENT_KINDS, TERMINAL, SyncJobStatus
from exporter.metrics.families import Counter, Gauge, HistogramFamily, optional_sample, state_set
from exporter.metrics.phrases import AS_OF_POLL, IF_REPORTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from exporter.domain.model import DocumentCounts, SyncJob
    from exporter.domain.source_view import SourceView
    from exporter.metrics.families import AnyFamily, Sample

_STATUSES = tuple(str(status) for status in SyncJobStatus)
_TERMINAL_STATUSES = tuple(status for status in _STATUSES if status in TERMINAL)


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
        for status in _TERMINAL_STATUSES:
            yield (status,), view.history.completed.get(status, 0)


def _failures(view: SourceView) -> Iterator[Sample]:
    if view.history is not None:
        # Documented codes start at 0, so that `increase()` sees the first failure.
        initial = dict.fromkeys(((code, "") for code in view.snapshot.source.id.service.error_codes), 0)
        yield from {**initial, **view.history.failures}.items()


def _documents_total(kind: str) -> Callable[[SourceView], Iterable[Sample]]:
    def samples(view: SourceView) -> Iterable[Sample]:
        return optional_sample(None if view.history is None else view.history.documents.get(kind, 0))

    return samples


def _documents_of(
    kind: str, choose: Callable[[SourceView], SyncJob | None]
) -> Callable[[SourceView], Iterable[Sample]]:
    def samples(view: SourceView) -> Iterable[Sample]:
        job = choose(view)
        documents: DocumentCounts | None = job.documents if job else None
        return optional_sample(getattr(documents, kind) if documents else None)

    return samples


def _running(view: SourceView) -> Iterable[Sample]:
    return optional_sample(None if view.history is None else len(view.running))


_LAST = "last_completed_sync"
_KIND_TEXTS = {
    "metadata_scanned": "Metadata documents scanned",
    "metadata_modified": "Metadata documents modified or deleted",
}

WINDOW_FAMILIES: tuple[AnyFamily, ...] = (
    Gauge(
        "sync_jobs",
        f"Sync jobs that started within polling.window, by status, {AS_OF_POLL}.",
        _jobs_in_window,
        ("status",),
    ),
)

JOB_FAMILIES: tuple[AnyFamily, ...] = (
    Counter(
        "sync_jobs_completed_total",
        f"Sync jobs that ended while the data source was watched, by terminal status, {AS_OF_POLL}. Each job counts "
        "once.",
        _completed,
        ("status",),
    ),
    Counter(
        "sync_job_failures_total",
        f"Sync jobs that FAILED while the data source was watched, by {{error_code}}, {AS_OF_POLL}. "
        "connector_error_code is a documented code in {error_texts}.",
        _failures,
        ("error_code", "connector_error_code"),
    ),
    HistogramFamily(
        "sync_job_duration_seconds",
        "{ended} minus {started} of sync jobs that ended while the data source was watched, by terminal status, "
        f"{AS_OF_POLL}.",
        lambda view: view.history.durations if view.history else {},
        ("status",),
    ),
    *(
        Counter(
            f"documents_{kind}_total",
            f"{_KIND_TEXTS.get(kind, f'Documents {kind}')} while the data source was watched, from the growth of "
            f"{{documents_{kind}}} of each sync job, {AS_OF_POLL}.",
            _documents_total(kind),
        )
        for kind in DOCUMENT_KINDS
    ),
    Gauge(
        "sync_status",
        f"Status of the sync job that started last, {AS_OF_POLL}: 1 for the current status, 0 for the others.",
        lambda view: state_set(view.jobs[0].status if view.jobs else None, _STATUSES),
        ("status",),
    ),
    Gauge("sync_running", f"Sync jobs in progress, {AS_OF_POLL}.", _running),
    Gauge(
        "running_sync_start_timestamp_seconds",
        f"{{started}} of the oldest sync job in progress, {AS_OF_POLL}. Absent if no job is in progress.",
        lambda view: optional_sample(view.oldest_running.started if view.oldest_running else None),
    ),
    *(
        Gauge(
            f"running_sync_documents_{kind}",
            f"{{documents_{kind}}} of the oldest sync job in progress, {AS_OF_POLL}. {IF_REPORTED}",
            _documents_of(kind, lambda view: view.oldest_running),
        )
        for kind in DOCUMENT_KINDS
    ),
    Gauge(
        f"{_LAST}_status",
        f"Status of the sync job that ended last, {AS_OF_POLL}: 1 for its status, 0 for the others.",
        lambda view: state_set(view.last_completed.status if view.last_completed else None, _STATUSES),
        ("status",),
    ),
    Gauge(
        f"{_LAST}_start_timestamp_seconds",
        f"{{started}} of the sync job that ended last, {AS_OF_POLL}.",
        lambda view: optional_sample(view.last_completed.started if view.last_completed else None),
    ),
    Gauge(
        f"{_LAST}_end_timestamp_seconds",
        f"{{ended}} of the sync job that ended last, {AS_OF_POLL}. {IF_REPORTED}",
        lambda view: optional_sample(view.last_completed.ended if view.last_completed else None),
    ),
    Gauge(
        f"{_LAST}_duration_seconds",
        f"{{ended}} minus {{started}} of the sync job that ended last, {AS_OF_POLL}. {IF_REPORTED}",
        lambda view: optional_sample(view.last_completed.duration if view.last_completed else None),
    ),
    *(
        Gauge(
            f"{_LAST}_documents_{kind}",
            f"{{documents_{kind}}} of the sync job that ended last, {AS_OF_POLL}. {IF_REPORTED}",
            _documents_of(kind, lambda view: view.last_completed),
        )
        for kind in DOCUMENT_KINDS
    ),
    Gauge(
        "last_successful_sync_timestamp_seconds",
        f"{{ended}} of the last SUCCEEDED sync job of any age, {AS_OF_POLL}. Absent if there was none.",
        lambda view: optional_sample(view.history.last_succeeded if view.history else None),
    ),
    Gauge(
        "last_indexed_sync_timestamp_seconds",
        f"{{ended}} of the last sync job that indexed content in the {{container}}, {AS_OF_POLL}: a SUCCEEDED one, or "
        "an INCOMPLETE one with fewer {documents_failed} than {documents_scanned}.",
        lambda view: optional_sample(view.history.last_indexed if view.history else None),
    ),
    Gauge(
        "consecutive_failed_syncs",
        f"FAILED sync jobs since the last SUCCEEDED or INCOMPLETE one, {AS_OF_POLL}. The first poll looks back over "
        "up to 100 jobs.",
        lambda view: optional_sample(view.consecutive_failures),
    ),
    Gauge(
        "consecutive_syncs_without_content",
        f"Sync jobs that have ended, including ABORTED ones, since content last reached the {{container}}, "
        f"{AS_OF_POLL}. The first poll looks back over up to 100 jobs.",
        lambda view: optional_sample(view.consecutive_without_content),
    ),
)

FRESHNESS_FAMILIES: tuple[AnyFamily, ...] = (
    Gauge(
        "poll_success",
        "1 if the last poll of the data source succeeded, 0 if it failed and the other values are from an earlier poll."
        " Absent between a restart and the first poll.",
        lambda view: optional_sample(view.snapshot.poll_succeeded),
    ),
    Gauge(
        "last_successful_poll_timestamp_seconds",
        "Time of the last successful poll of the data source, on AWS's clock.",
        lambda view: optional_sample(view.snapshot.polled_at),
    ),
)
