"""Every metric of a data source, as a declaration: name, type, help, labels, and a pure function of its snapshot.

Each says where its value comes from; all are as of the source's last successful poll.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.samples import Exemplar as ExemplarSample
from prometheus_client.utils import floatToGoString

from exporter.model import DOCUMENT_KINDS, ERROR_CODES, TERMINAL, SyncJobStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

    from exporter.model import DocumentCounts, Histogram, SourceHistory, SourceSnapshot, SyncJob

SOURCE_LABELS = ("application", "data_source", "data_source_id")
_STATUSES = tuple(str(status) for status in SyncJobStatus)
_ENDED = tuple(status for status in _STATUSES if status in TERMINAL)

Sample = tuple[tuple[str, ...], float]
"""The values of a family's own labels, and the value."""


@dataclass(frozen=True)
class Context:
    """What a family may look at: a source's snapshot, and AWS's clock."""

    snapshot: SourceSnapshot
    now: float
    window: float

    @property
    def history(self) -> SourceHistory | None:
        """Give the source's history; None before its first successful poll."""
        return self.snapshot.history

    @cached_property
    def jobs(self) -> list[SyncJob]:
        """Give the jobs that AWS lists, the latest first."""
        return self.history.by_start() if self.history else []

    @cached_property
    def last(self) -> SyncJob | None:
        """Give the job that ended last."""
        return self.history.last_completed() if self.history else None

    @cached_property
    def running(self) -> list[SyncJob]:
        """Give the jobs in progress, the oldest first."""
        return self.history.in_progress() if self.history else []

    @property
    def oldest(self) -> SyncJob | None:
        """Give the oldest job in progress."""
        return self.running[0] if self.running else None


@dataclass(frozen=True, slots=True)
class Simple:
    """A family of gauges or counters."""

    kind: str
    name: str
    help: str
    samples: Callable[[Context], Iterable[Sample]]
    labels: tuple[str, ...] = ()

    def collect(self, context: Context, identity: Sequence[str]) -> Metric:
        """Give the family's samples of one source."""
        make = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        metric = make(self.name, self.help, labels=(*SOURCE_LABELS, *self.labels))
        for values, value in self.samples(context):
            metric.add_metric((*identity, *values), value)
        return metric


@dataclass(frozen=True, slots=True)
class Durations:
    """The histogram family of durations."""

    name: str
    help: str
    labels: tuple[str, ...] = ("status",)
    kind = "histogram"

    def collect(self, context: Context, identity: Sequence[str]) -> Metric:
        """Give the family's samples of one source."""
        metric = HistogramMetricFamily(self.name, self.help, labels=(*SOURCE_LABELS, *self.labels))
        durations = context.history.durations if context.history else {}
        for status, histogram in sorted(durations.items()):
            metric.add_metric((*identity, status), list(_buckets(histogram)), histogram.sum)
        return metric


Family = Simple | Durations
Gauge = partial(Simple, "gauge")
Counter = partial(Simple, "counter")


def _buckets(histogram: Histogram) -> Iterator[tuple[str, float] | tuple[str, float, ExemplarSample]]:
    bounds = (*(floatToGoString(bound) for bound in histogram.bounds), "+Inf")
    for bound, count, seen in zip(bounds, accumulate(histogram.counts), histogram.exemplars, strict=True):
        if seen is None:
            yield bound, count
        else:
            yield bound, count, ExemplarSample({"execution_id": seen.execution_id}, seen.seconds, seen.timestamp)


def _value(value: float | None) -> Iterator[Sample]:
    if value is not None:
        yield (), value


def _state(current: str | None) -> Iterator[Sample]:
    """Give 1 for the current status and 0 for the others, one that nobody knows under its own name."""
    if current is None:
        return
    for status in dict.fromkeys((*_STATUSES, current)):
        yield (status,), float(status == current)


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
        return _value(None if context.history is None else context.history.documents.get(kind, 0))

    return samples


def _figure(kind: str, choose: Callable[[Context], SyncJob | None]) -> Callable[[Context], Iterable[Sample]]:
    def samples(context: Context) -> Iterator[Sample]:
        job = choose(context)
        documents: DocumentCounts | None = job.documents if job else None
        return _value(getattr(documents, kind) if documents else None)

    return samples


def _running(context: Context) -> Iterator[Sample]:
    return _value(None if context.history is None else len(context.running))


_LAST = "qbusiness_last_completed_sync"

FAMILIES: tuple[Family, ...] = (
    Gauge(
        "qbusiness_sync_jobs",
        "Sync jobs that started within polling.window, by current status as of the last poll.",
        _jobs_in_window,
        ("status",),
    ),
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
        lambda context: _state(context.jobs[0].status if context.jobs else None),
        ("status",),
    ),
    Gauge("qbusiness_sync_running", "Sync jobs in progress as of the last poll.", _running),
    Gauge(
        "qbusiness_running_sync_start_timestamp_seconds",
        "startTime of the oldest sync job in progress as of the last poll; absent when none is.",
        lambda context: _value(context.oldest.started if context.oldest else None),
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
        lambda context: _state(context.last.status if context.last else None),
        ("status",),
    ),
    Gauge(
        f"{_LAST}_start_timestamp_seconds",
        "startTime of the sync job that ended last, as of the last poll.",
        lambda context: _value(context.last.started if context.last else None),
    ),
    Gauge(
        f"{_LAST}_end_timestamp_seconds",
        "endTime of the sync job that ended last, as of the last poll; absent when not said.",
        lambda context: _value(context.last.ended if context.last else None),
    ),
    Gauge(
        f"{_LAST}_duration_seconds",
        "endTime minus startTime of the sync job that ended last, as of the last poll; absent when not said.",
        lambda context: _value(context.last.duration if context.last else None),
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
        lambda context: _value(context.history.last_succeeded if context.history else None),
    ),
    Gauge(
        "qbusiness_last_indexed_sync_timestamp_seconds",
        "endTime of the last SUCCEEDED or INCOMPLETE sync job, as of the last poll: content last reached the index.",
        lambda context: _value(context.history.last_indexed if context.history else None),
    ),
    Gauge(
        "qbusiness_consecutive_failed_syncs",
        "FAILED sync jobs since the last ended one that was not, as of the last poll; the first poll reads back 100.",
        lambda context: _value(context.history.consecutive_failures() if context.history else None),
    ),
    Gauge(
        "qbusiness_poll_success",
        "1 when the last poll of the data source worked; 0 when all else here is older than that.",
        lambda context: _value(float(context.snapshot.poll_succeeded)),
    ),
    Gauge(
        "qbusiness_last_successful_poll_timestamp_seconds",
        "When the data source was last polled with success, by AWS's clock.",
        lambda context: _value(context.snapshot.polled_at),
    ),
)


@dataclass(frozen=True, slots=True)
class SourceFamilies:
    """The families of a data source, for a `polling.window` in seconds."""

    window: float

    def collect(self, snapshot: SourceSnapshot, now: float) -> list[Metric]:
        """Give every family's samples of one source, in the order of `FAMILIES`; empty families included."""
        context = Context(snapshot, now, self.window)
        identity = (snapshot.names.application, snapshot.names.data_source, snapshot.source.id.data_source_id)
        return [family.collect(context, identity) for family in FAMILIES]

    def next_change(self, snapshot: SourceSnapshot, now: float) -> float | None:
        """Give the time on AWS's clock at which time alone changes a figure: a job leaves the window."""
        if snapshot.history is None:
            return None
        leaving = (job.started + self.window for job in snapshot.history.by_start())
        return min((at for at in leaving if at > now), default=None)
