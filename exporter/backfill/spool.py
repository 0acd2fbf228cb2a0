"""Timelines put by on the disk, family by family, until every source has its own: a family's samples stand together."""

from __future__ import annotations

import pickle  # nosec B403
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, Self

from exporter.backfill.rendering import END, Point, moments, repeated, telling_the_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO

    from exporter.backfill.rendering import Heads, Moment
    from exporter.backfill.replay import SampleRun, Steps, Timeline

AT_ONCE = 1000  # moments of a series that are written in one piece


class _Series(NamedTuple):
    steps: Steps
    heads: Heads
    runs: Sequence[SampleRun]

    @property
    def samples(self) -> int:
        return len(self.heads) * sum(run.length for run in self.runs)


class Spool:
    """Takes timelines in, and gives one file of them; a context manager, for what it keeps on the disk meanwhile."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._files: dict[str, IO[bytes]] = {}
        self._headers: dict[str, bytes] = {}
        self._numbers = range(0)
        self._open = ExitStack()
        self.samples = 0

    def __enter__(self) -> Self:
        """Begin with nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing."""
        self._open.close()

    def put(self, timeline: Timeline) -> None:
        """Put a source's past by."""
        self._cover(timeline.steps.numbers)
        for family, series in timeline.runs.items():
            if family not in self._files:
                self._headers[family] = timeline.headers[family]
                file = tempfile.TemporaryFile(prefix="qbusiness-backfill-")  # noqa: SIM115 (closed with the others)
                self._files[family] = self._open.enter_context(file)
            for heads, runs in series.items():
                put = _Series(timeline.steps, heads, runs)
                pickle.dump(put, self._files[family])
                self.samples += put.samples

    def pieces(self, progress: Callable[[int], object]) -> Iterator[bytes]:
        """Yield all of it as OpenMetrics; `progress` is told how many samples have been written since."""
        grid = _Grid(self._numbers, self._step)
        for family, file in self._files.items():
            yield self._headers[family]
            for series in _load(file):
                yield from grid.lines(series)
                progress(series.samples)
        yield END

    def _cover(self, numbers: range) -> None:
        if self._numbers:
            numbers = range(min(numbers.start, self._numbers.start), max(numbers.stop, self._numbers.stop))
        self._numbers = numbers


class _Grid:
    """Every moment, rendered once."""

    def __init__(self, numbers: range, step: float) -> None:
        self._first = numbers.start
        self._moments = moments(round(number * step, 3) for number in numbers)
        self._ends: dict[tuple[float, float], list[Moment]] = {}

    def lines(self, series: _Series) -> Iterator[bytes]:
        for run in series.runs:
            at = self._at(series.steps, run)
            for begin in range(0, len(at), AT_ONCE):
                some = at[begin : begin + AT_ONCE]
                if run.values is None:
                    yield telling_the_time(series.heads, some)
                else:
                    yield repeated(Point(series.heads, run.values), [moment.stamp for moment in some])

    def _at(self, steps: Steps, run: SampleRun) -> list[Moment]:
        if steps.ends not in self._ends:
            self._ends[steps.ends] = moments(steps.ends)
        whole, stop = len(steps.numbers), run.at + run.length
        begin = steps.first - self._first
        ends = self._ends[steps.ends][max(0, run.at - whole) : max(0, stop - whole)]
        return self._moments[begin + min(run.at, whole) : begin + min(stop, whole)] + ends


def _load(file: IO[bytes]) -> Iterator[_Series]:
    end = file.tell()
    file.seek(0)
    while file.tell() < end:
        yield pickle.load(file)  # noqa: S301 (a nameless file that this process has just written)  # nosec B301
