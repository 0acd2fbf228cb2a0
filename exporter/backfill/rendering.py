"""Families over time: samples with timestamps, one series after the other, as a file for backfilling has them.

What a line begins with is rendered once, by prometheus_client; of other moments it has another value and timestamp.
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

Heads = tuple[bytes, ...]
"""A series: what each of its lines begins with; a histogram has many."""

END = OPENMETRICS.end


class Point(NamedTuple):
    """A series at some moment, with a value for each of its lines."""

    heads: Heads
    values: tuple[float, ...]


class Moment(NamedTuple):
    """A moment as the value of a sample, and as its timestamp with the end of the line."""

    value: bytes
    stamp: bytes


class Rendering:
    """Renders the families of one thing at one moment after the other, with labels that all its series have."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._headers: dict[str, bytes] = {}
        self._heads: dict[object, Heads] = {}

    def header(self, metric: Metric) -> bytes:
        """Give what stands above the family's samples."""
        if metric.name not in self._headers:
            self._headers[metric.name], _ = self._render(metric, [])
        return self._headers[metric.name]

    def points(self, metric: Metric) -> Iterator[Point]:
        """Give the family's series; without exemplars, which no backfilled block keeps."""
        several = metric.type == "histogram"
        series = groupby(metric.samples, key=_labels_but_buckets) if several else ((0, [s]) for s in metric.samples)
        for _, lines in series:
            samples = list(lines)
            key = tuple((sample.name, *sample.labels.items()) for sample in samples)
            if key not in self._heads:
                _, rendered = self._render(metric, samples)
                self._heads[key] = tuple(head for head, _, _ in _lines(rendered))
            yield Point(self._heads[key], tuple(float(sample.value) for sample in samples))

    def _render(self, metric: Metric, samples: Sequence[Sample]) -> tuple[bytes, bytes]:
        """Give the header and the lines."""
        some = copy.copy(metric)
        some.samples = [
            sample._replace(labels={**sample.labels, **self._labels}, timestamp=0, exemplar=None) for sample in samples
        ]
        return next(split_families(OPENMETRICS.render([some])))


def moments(times: Iterable[float]) -> list[Moment]:
    """Render moments."""
    family = GaugeMetricFamily("moment", "")
    for time in times:
        family.add_metric((), time, timestamp=int(time) if time.is_integer() else time)
    ((_, body),) = split_families(OPENMETRICS.render([family]))
    return [Moment(value, stamp + b"\n") for _, value, stamp in _lines(body)]


def repeated(point: Point, stamps: Sequence[bytes]) -> bytes:
    """Give the lines of a series that is the same at several moments."""
    lines = zip(point.heads, map(floatToGoString, point.values), strict=True)
    first, *others = (b"%b %b " % (head, value.encode()) for head, value in lines)
    if not others:
        return first + first.join(stamps)
    return b"".join(stamp.join((first, *others, b"")) for stamp in stamps)


def telling_the_time(heads: Heads, at: Iterable[Moment]) -> bytes:
    """Give the lines of a series whose value is the moment itself."""
    return b"".join(b"%b %b %b" % (head, *moment) for moment in at for head in heads)


def _labels_but_buckets(sample: Sample) -> dict[str, str]:
    return {**sample.labels, "le": ""}


def _lines(body: bytes) -> list[list[bytes]]:
    """Part lines into what comes before the value, the value, and the timestamp."""
    # By newlines alone: whatever else may end a line elsewhere is a character of a label's value here.
    return [line.rsplit(b" ", 2) for line in body.split(b"\n") if line]
