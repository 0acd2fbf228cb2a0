"""Timelines on disk by family until all sources are read: OpenMetrics requires the samples of a family together."""

from __future__ import annotations

import pickle  # nosec B403
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, Self

from exporter.backfill.rendering import END, Point, constant_lines, max_line_length, render_times, time_lines
from exporter.backfill.timeline import step_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO

    from exporter.backfill.rendering import Prefixes, RenderedTime
    from exporter.backfill.timeline import SampleRun, SampleTimes, Timeline

TIMES_PER_PIECE = 1000
TIMESTAMP_LENGTH, FRACTION_LENGTH = len("1799999999"), len(".999")


class _Series(NamedTuple):
    """One series of one source."""

    times: SampleTimes
    prefixes: Prefixes
    runs: Sequence[SampleRun]

    @property
    def samples(self) -> int:
        return len(self.prefixes) * sum(run.length for run in self.runs)

    def max_size(self, timestamp_length: int) -> int:
        """Return the maximum size of its lines in bytes."""
        sizes = (
            run.length * sum(max_line_length(*line, timestamp_length) for line in self._lines(run)) for run in self.runs
        )
        return sum(sizes)

    def _lines(self, run: SampleRun) -> Iterator[tuple[bytes, float | None]]:
        """Return the prefix and the value of each line at one time of a run."""
        values = (None,) * len(self.prefixes) if run.values is None else run.values
        return zip(self.prefixes, values, strict=True)


class Spool:
    """Collects timelines in temporary files, and merges them; a context manager that removes the files."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._timestamp_length = TIMESTAMP_LENGTH + (0 if step.is_integer() else FRACTION_LENGTH)
        self._files: dict[str, IO[bytes]] = {}
        self._headers: dict[str, bytes] = {}
        self._step_numbers = range(0)
        self._open = ExitStack()
        self.samples = 0
        self.size = len(END)
        """The maximum size of the output in bytes. Only values that are times may be shorter than their maximum."""

    def __enter__(self) -> Self:
        """Return the spool; the first timeline creates the files."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the files."""
        self._open.close()

    def add(self, timeline: Timeline) -> None:
        """Store the timeline of one source."""
        self._extend(timeline.times.step_numbers)
        for family, series in timeline.runs.items():
            if family not in self._files:
                self._headers[family] = timeline.headers[family]
                self.size += len(self._headers[family])
                file = tempfile.TemporaryFile(prefix="qbusiness-backfill-")  # noqa: SIM115 (closed with the spool)
                self._files[family] = self._open.enter_context(file)
            for prefixes, runs in series.items():
                stored = _Series(timeline.times, prefixes, runs)
                pickle.dump(stored, self._files[family])
                self.samples += stored.samples
                self.size += stored.max_size(self._timestamp_length)

    def pieces(self, progress: Callable[[int], object]) -> Iterator[bytes]:
        """Yield everything as OpenMetrics; call `progress` with the number of samples after each series."""
        writer = _SeriesWriter(self._step_numbers, self._step)
        for family, file in self._files.items():
            yield self._headers[family]
            for series in _load(file):
                yield from writer.pieces(series)
                progress(series.samples)
        yield END

    def _extend(self, step_numbers: range) -> None:
        """Extend the range that covers the steps of all timelines."""
        covered = self._step_numbers
        if covered:
            step_numbers = range(min(step_numbers.start, covered.start), max(step_numbers.stop, covered.stop))
        self._step_numbers = step_numbers


class _SeriesWriter:
    """Writes series as lines; each time is rendered once, for all series that have a sample then."""

    def __init__(self, step_numbers: range, step: float) -> None:
        self._first_step = step_numbers.start
        self._steps = render_times(step_time(number, step) for number in step_numbers)
        self._last_two: dict[tuple[float, float], list[RenderedTime]] = {}

    def pieces(self, series: _Series) -> Iterator[bytes]:
        for run in series.runs:
            times = self._times(series.times, run)
            for begin in range(0, len(times), TIMES_PER_PIECE):
                some = times[begin : begin + TIMES_PER_PIECE]
                if run.values is None:
                    yield time_lines(series.prefixes, some)
                else:
                    yield constant_lines(Point(series.prefixes, run.values), [time.timestamp for time in some])

    def _times(self, times: SampleTimes, run: SampleRun) -> list[RenderedTime]:
        """Return the times of a run. Its indexes count the steps of its source, followed by the last two times."""
        if times.last_two not in self._last_two:
            self._last_two[times.last_two] = render_times(times.last_two)
        steps, offset = len(times.step_numbers), times.first_step - self._first_step
        start, stop = run.start, run.start + run.length
        on_steps = self._steps[offset + min(start, steps) : offset + min(stop, steps)]
        return on_steps + self._last_two[times.last_two][max(0, start - steps) : max(0, stop - steps)]


def _load(file: IO[bytes]) -> Iterator[_Series]:
    end = file.tell()
    file.seek(0)
    while file.tell() < end:
        yield pickle.load(file)  # noqa: S301 (an anonymous file that this process has written)  # nosec B301
