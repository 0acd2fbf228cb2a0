"""The replay of past sync jobs, which simulates a poll at each step and counts jobs like live polls."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from exporter.backfill.boundary import backfilled_end, end_of_backfill, with_reset_counters
from exporter.backfill.changes import ChangeCollector
from exporter.backfill.families import TIME_OF_DATA
from exporter.backfill.rendering import SeriesRenderer
from exporter.backfill.timeline import FamilyRecorder, SampleRun, SampleTimes, Timeline
from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData, SourceHistory
from exporter.domain.model import SyncJob, SyncJobStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.backfill.rendering import Prefixes
    from exporter.domain.counting.counting_policy import CountingPolicy
    from exporter.domain.service import Service
    from exporter.domain.snapshots import SourceSnapshot
    from exporter.metrics import SourceFamilies


class Replay:
    """Computes the samples of data sources, `step` seconds apart."""

    def __init__(
        self,
        families: Mapping[Service, SourceFamilies],
        policies: Mapping[Service, CountingPolicy],
        step: float,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Use the families and the policy of each service. Add `labels` to each series, as Prometheus does."""
        self._families = families
        self._policies = policies
        self._step = step
        self._labels = labels or {}

    def timeline(self, snapshot: SourceSnapshot, jobs: Sequence[SyncJob], since: float | None) -> Timeline | None:
        """Return the samples of a source until the exporter started to watch it; None if there are none.

        `snapshot` and `jobs` are the current ones. Samples start with the oldest job, or at `since` if that is later.
        """
        if snapshot.history is None or not jobs:
            return None
        begin = min(min(job.started, backfilled_end(job, snapshot.history)) for job in jobs)
        end = end_of_backfill(snapshot.history)
        # This is one step before the first job, so that its count is an increase from 0.
        first_step = math.ceil(begin / self._step) - 1
        if since is not None:
            first_step = max(first_step, math.ceil(since / self._step))
        times = SampleTimes(first_step, end, self._step)
        return self._replay(snapshot, jobs, times) if begin <= end and times.step_numbers else None

    def _replay(self, snapshot: SourceSnapshot, jobs: Sequence[SyncJob], sample_times: SampleTimes) -> Timeline:
        times = sample_times.all()
        headers: dict[str, bytes] = {}
        recorders: dict[str, FamilyRecorder] = defaultdict(FamilyRecorder)
        collector, renderer = (
            ChangeCollector(self._families[snapshot.source.id.service], times),
            SeriesRenderer(self._labels),
        )
        for past in self._past_snapshots(snapshot, jobs, times):
            for index, metric in collector.changes(*past):
                headers[metric.name] = renderer.header(metric)
                recorders[metric.name].record(index, renderer.points(metric))
        for recorder in recorders.values():
            recorder.record(len(times), ())
        runs: dict[str, Mapping[Prefixes, list[SampleRun]]] = {
            name: recorder.runs for name, recorder in recorders.items() if recorder.runs
        }
        time_of_data = f"{snapshot.source.id.service.name}_{TIME_OF_DATA}"
        if time_of_data in runs:  # unless it is excluded
            runs[time_of_data] = {prefixes: [SampleRun(0, len(times), None)] for prefixes in runs[time_of_data]}
        return Timeline(sample_times, headers, runs)

    def _past_snapshots(
        self, snapshot: SourceSnapshot, jobs: Iterable[SyncJob], times: Sequence[float]
    ) -> Iterator[_PastSnapshot]:
        """Yield the snapshots that live polls would have published, and finally that of the counter reset."""
        news = _news(snapshot, jobs, times)
        history = SourceHistory(watched_since=times[0], as_of=times[0])
        reset, policy = len(times) - 1, self._policies[snapshot.source.id.service]
        for start, stop in pairwise((*sorted({0, *news}), reset)):
            history = fold(history, PollData(tuple(news.get(start, ())), times[start], times[start]), policy)
            yield _PastSnapshot(_as_polled(snapshot, history, times[0]), start, stop)
        yield _PastSnapshot(_as_polled(snapshot, with_reset_counters(history), times[0]), reset, len(times))


class _PastSnapshot(NamedTuple):
    """A snapshot, and the indexes of the times at which it was valid: from `start` to before `stop`."""

    snapshot: SourceSnapshot
    start: int
    stop: int


def _as_polled(snapshot: SourceSnapshot, history: SourceHistory, polled_at: float) -> SourceSnapshot:
    # All past snapshots have the same poll time, so that it is rendered only once. Its values are replaced later.
    return replace(snapshot, history=history, poll_succeeded=None, polled_at=polled_at)


def _news(snapshot: SourceSnapshot, jobs: Iterable[SyncJob], times: Sequence[float]) -> Mapping[int, list[SyncJob]]:
    """Return the jobs that would have been new or newly ended in each poll, by the index of its time."""
    news: dict[int, list[SyncJob]] = defaultdict(list)
    polls = times[:-1]  # the last time is the counter reset
    for job in jobs:
        end = backfilled_end(job, snapshot.history) if snapshot.history else math.inf
        begun, ended = bisect_left(polls, min(job.started, end)), bisect_left(polls, end)
        if begun < ended and begun < len(polls):
            # AWS does not record the earlier statuses and document counts of a job.
            news[begun].append(SyncJob(job.execution_id, SyncJobStatus.SYNCING, job.started))
        if ended < len(polls):
            news[ended].append(job)
    return news
