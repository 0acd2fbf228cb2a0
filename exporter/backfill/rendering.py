"""Samples with timestamps as lines of OpenMetrics.

prometheus_client renders each series once. Everything before the value (name and labels) is the prefix of all its
lines, and only values and timestamps differ. A histogram has several lines for each time: they are one series here.
"""

from __future__ import annotations

import copy
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.utils import floatToGoString

from exporter.exposition.formats import OPENMETRICS, split_families

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client.core import Metric
    from prometheus_client.samples import Sample

Prefixes = tuple[bytes, ...]
"""The identity of a series: the prefix of each of its lines."""

END = OPENMETRICS.end
MAX_TIME_LENGTH = len("1.799999999999e+09")  # the length of a time as the value of a sample, to the millisecond


class Point(NamedTuple):
    """A series at one time, with a value for each of its lines."""

    prefixes: Prefixes
    values: tuple[float, ...]


def max_line_length(prefix: bytes, value: float | None, timestamp_length: int) -> int:
    """Return the largest length of a line with a timestamp of at most this length.

    The value None stands for the time of the sample.
    """
    value_length = MAX_TIME_LENGTH if value is None else len(floatToGoString(value))
    return len(prefix) + value_length + timestamp_length + 3  # two spaces, and the end of the line


class RenderedTime(NamedTuple):
    """A time as the value of a sample, and as its timestamp with the end of the line."""

    value: bytes
    timestamp: bytes


class SeriesRenderer:
    """Renders the families of one source, with further labels for all its series."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._headers: dict[str, bytes] = {}
        self._prefixes: dict[object, Prefixes] = {}

    def header(self, metric: Metric) -> bytes:
        """Return the lines with the help text and the type of a family."""
        if metric.name not in self._headers:
            self._headers[metric.name], _ = self._render(metric, [])
        return self._headers[metric.name]

    def points(self, metric: Metric) -> Iterator[Point]:
        """Yield the series of a family; without exemplars, which promtool does not write to blocks."""
        for samples in _by_series(metric):
            key = tuple((sample.name, *sample.labels.items()) for sample in samples)
            if key not in self._prefixes:
                _, lines = self._render(metric, samples)
                self._prefixes[key] = tuple(prefix for prefix, _, _ in _split_lines(lines))
            yield Point(self._prefixes[key], tuple(float(sample.value) for sample in samples))

    def _render(self, metric: Metric, samples: Sequence[Sample]) -> tuple[bytes, bytes]:
        """Return the header and the lines of some samples of a family."""
        partial = copy.copy(metric)
        partial.samples = [
            sample._replace(labels={**sample.labels, **self._labels}, timestamp=0, exemplar=None) for sample in samples
        ]
        return next(split_families(OPENMETRICS.render([partial])))


def render_times(times: Iterable[float]) -> list[RenderedTime]:
    """Render times, in seconds since the epoch."""
    family = GaugeMetricFamily("time", "")
    for time in times:
        family.add_metric((), time, timestamp=int(time) if time.is_integer() else time)
    ((_, lines),) = split_families(OPENMETRICS.render([family]))
    return [RenderedTime(value, timestamp + b"\n") for _, value, timestamp in _split_lines(lines)]


def constant_lines(point: Point, timestamps: Sequence[bytes]) -> bytes:
    """Return the lines of a series with the same values at all these times."""
    lines = zip(point.prefixes, map(floatToGoString, point.values), strict=True)
    first, *others = (b"%b %b " % (prefix, value.encode()) for prefix, value in lines)
    if not others:
        return first + first.join(timestamps)
    return b"".join(timestamp.join((first, *others, b"")) for timestamp in timestamps)


def time_lines(prefixes: Prefixes, times: Iterable[RenderedTime]) -> bytes:
    """Return the lines of a series whose value is the time of each sample."""
    return b"".join(b"%b %b %b" % (prefix, *time) for time in times for prefix in prefixes)


def _by_series(metric: Metric) -> Iterator[list[Sample]]:
    """Yield the samples of each series. Samples of a histogram with the same labels are one series."""
    if metric.type == "histogram":
        yield from (list(samples) for _, samples in groupby(metric.samples, key=_labels_without_bucket))
    else:
        yield from ([sample] for sample in metric.samples)


def _labels_without_bucket(sample: Sample) -> dict[str, str]:
    return {**sample.labels, "le": ""}


def _split_lines(lines: bytes) -> list[list[bytes]]:
    """Split lines into prefix, value and timestamp."""
    # Lines end at line feeds only. A label value may contain other characters at which splitlines() would split.
    return [line.rsplit(b" ", 2) for line in lines.split(b"\n") if line]
