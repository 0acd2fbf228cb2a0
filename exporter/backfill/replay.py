"""What a poll at each moment of the past would have read, folded and collected as a poll's reading is."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from exporter.backfill.boundary import anew, last_moment, told_to_end
from exporter.backfill.families import AS_OF, SINCE_UPDATED, UNKNOWN
from exporter.backfill.rendering import Rendering
from exporter.domain.history import fold
from exporter.domain.model import SyncJob, SyncJobStatus
from exporter.domain.source_history import PollData, SourceHistory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.backfill.rendering import Heads, Point
    from exporter.domain.history import CountingPolicy
    from exporter.domain.snapshots import SourceSnapshot
    from exporter.metrics import SourceFamilies

AFTER = 0.001  # seconds past a change within which rounding may keep it from being seen


@dataclass(frozen=True, slots=True)
class Steps:
    """The moments of one source: whole steps, by number, the last that is told, and where totals begin anew."""

    first: int
    last: float
    step: float

    @property
    def numbers(self) -> range:
        """Give the numbers of the whole steps."""
        return range(self.first, math.ceil(self.last / self.step))

    def times(self) -> list[float]:
        """Give the moments, rising."""
        return [*(round(number * self.step, 3) for number in self.numbers), *self.ends]

    @property
    def ends(self) -> tuple[float, float]:
        """Give the moments that are not whole steps."""
        return self.last, self.last + 1.0


@dataclass(frozen=True, slots=True)
class SampleRun:
    """How a series was for some moments in a row, by their places; None is that each value is the moment itself."""

    at: int
    length: int
    values: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A source's past: the runs of every series, by family."""

    steps: Steps
    headers: Mapping[str, bytes]
    runs: Mapping[str, Mapping[Heads, Sequence[SampleRun]]]


class Replay:
    """Tells the past of data sources, at moments a `step` of seconds apart."""

    def __init__(
        self, declared: SourceFamilies, policy: CountingPolicy, step: float, labels: Mapping[str, str] | None = None
    ) -> None:
        """`labels` are those that Prometheus gives to what it scrapes."""
        self._declared = declared
        self._policy = policy
        self._step = step
        self._labels = labels or {}

    def tell(self, shown: SourceSnapshot, jobs: Sequence[SyncJob], since: float | None) -> Timeline | None:
        """Tell a source's past up to where it is watched, given its jobs as they are now; None where there is none."""
        if shown.history is None or not jobs:
            return None
        began = min(min(job.started, told_to_end(job, shown.history)) for job in jobs)
        last = last_moment(shown.history)
        first = math.ceil(began / self._step) - 1  # before anything happens, so that its rise from 0 is one
        if since is not None:
            first = max(first, math.ceil(since / self._step))
        steps = Steps(first, last, self._step)
        return self._told(shown, jobs, steps) if began <= last and steps.numbers else None

    def _told(self, shown: SourceSnapshot, jobs: Sequence[SyncJob], steps: Steps) -> Timeline:
        times = steps.times()
        headers: dict[str, bytes] = {}
        tracks: dict[str, _Track] = defaultdict(_Track)
        telling = _Telling(self._declared, times, self._labels)
        for at, until, snapshot in self._snapshots(shown, jobs, times):
            for place, change in telling.changes(snapshot, at, until):
                headers[change.family] = change.header
                tracks[change.family].become(place, change.points)
        for track in tracks.values():
            track.become(len(times), ())
        runs: dict[str, Mapping[Heads, list[SampleRun]]] = {
            name: track.runs for name, track in tracks.items() if track.runs
        }
        runs[AS_OF] = {heads: [SampleRun(0, len(times), None)] for heads in runs[AS_OF]}
        return Timeline(steps, headers, runs)

    def _snapshots(
        self, shown: SourceSnapshot, jobs: Iterable[SyncJob], times: Sequence[float]
    ) -> Iterator[tuple[int, int, SourceSnapshot]]:
        """Yield what there would have been to see, from which moment on and until which."""
        views = _views(shown, jobs, times)
        history = SourceHistory(watched_since=times[0], as_of=times[0])
        seam = len(times) - 1
        for at, until in pairwise((*sorted({0, *views}), seam)):
            history = fold(history, PollData(tuple(views.get(at, ())), times[at], times[at]), self._policy)
            yield at, until, replace(shown, history=history, poll_succeeded=None, polled_at=times[0])
        yield seam, len(times), replace(shown, history=anew(history), poll_succeeded=None, polled_at=times[0])


def _views(shown: SourceSnapshot, jobs: Iterable[SyncJob], times: Sequence[float]) -> Mapping[int, list[SyncJob]]:
    """Give what was new of the jobs, by the place of the first moment at which it could be seen."""
    views: dict[int, list[SyncJob]] = defaultdict(list)
    told = times[:-1]
    for job in jobs:
        ends = told_to_end(job, shown.history) if shown.history else math.inf
        began, ended = bisect_left(told, min(job.started, ends)), bisect_left(told, ends)
        if began < ended and began < len(told):
            # Which status it had of those in progress, and how far it was, nobody wrote down.
            views[began].append(SyncJob(job.execution_id, SyncJobStatus.SYNCING, job.started))
        if ended < len(told):
            views[ended].append(job)
    return views


class _Change(NamedTuple):
    family: str
    header: bytes
    points: Iterable[Point]


class _Telling:
    """Which samples there were: collected anew where something changes them, and nowhere else."""

    def __init__(self, declared: SourceFamilies, times: Sequence[float], labels: Mapping[str, str]) -> None:
        self._declared = declared
        self._times = times
        self._rendering = Rendering(labels)
        self._bases: dict[int, object] = {}
        self._due: dict[int, int] = {}

    def changes(self, snapshot: SourceSnapshot, first: int, until: int) -> Iterator[tuple[int, _Change]]:
        """Yield families as they become, each with the place of its moment, as long as a snapshot is good."""
        updated = snapshot.description.updated if snapshot.description else None
        scheduled_from = len(self._times) if updated is None else bisect_left(self._times, updated)
        for part, basis in enumerate(self._declared.parts(snapshot)):
            at = self._due[part] if self._bases.get(part) == basis else first
            self._bases[part] = basis
            while at < until:
                untold = UNKNOWN if at >= scheduled_from else UNKNOWN | SINCE_UPDATED
                for metric in self._declared.collect(snapshot, self._times[at], part):
                    if metric.name not in untold:
                        header, points = self._rendering.header(metric), self._rendering.points(metric)
                        yield at, _Change(metric.name, header, points)
                following = self._following(snapshot, at, part)
                at = min(following, scheduled_from) if at < scheduled_from else following
            self._due[part] = at

    def _following(self, snapshot: SourceSnapshot, at: int, part: int) -> int:
        """Give the place of the next moment at which time alone changes a part."""
        # A moment may coincide with a change, and rounding decide whether that is seen at it: one step on it is.
        change = self._declared.next_change(snapshot, self._times[at] - AFTER, part)
        if change is not None and change <= self._times[at] + AFTER:
            return at + 1
        return len(self._times) if change is None else bisect_left(self._times, change)


class _Track:
    """A family's series as time goes by."""

    def __init__(self) -> None:
        self.runs: dict[Heads, list[SampleRun]] = defaultdict(list)
        self._now: dict[Heads, tuple[int, tuple[float, ...]]] = {}

    def become(self, at: int, points: Iterable[Point]) -> None:
        """Take note of what there is from a moment on."""
        now = {point.heads: point.values for point in points}
        for heads, (since, values) in list(self._now.items()):
            if now.get(heads) != values:
                self.runs[heads].append(SampleRun(since, at - since, values))
                del self._now[heads]
        for heads, values in now.items():
            self._now.setdefault(heads, (at, values))
