"""Families over time: samples with timestamps, one series after the other, as a file for backfilling has them.

Whatever a line says is rendered once, by prometheus_client; for other moments it is only given another timestamp.
"""

from __future__ import annotations

import copy
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.core import GaugeMetricFamily

from exporter.exposition.formats import OPENMETRICS, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

Texts = tuple[bytes, ...]

END = OPENMETRICS.end


class Point(NamedTuple):
    """A series at some moment: its lines up to their values, and the values; a histogram has many lines."""

    heads: Texts
    values: Texts


class Family(NamedTuple):
    """A family at some moment."""

    name: str
    header: bytes
    points: list[Point]


class Moment(NamedTuple):
    """A moment as the value of a sample, and as its timestamp."""

    value: bytes
    stamp: bytes


def families(metrics: Sequence[Metric], labels: Mapping[str, str]) -> Iterator[Family]:
    """Render families, with labels that all their series have; without exemplars, which no backfilled block keeps."""
    stamped = [_stamped(metric, labels) for metric in metrics]
    for metric, (header, body) in zip(stamped, split(OPENMETRICS.render(stamped)), strict=True):
        yield Family(metric.name, header, list(_points(metric, body)))


def moments(times: Iterable[float]) -> list[Moment]:
    """Render moments."""
    family = GaugeMetricFamily("moment", "")
    for time in times:
        family.add_metric((), time, timestamp=int(time) if time.is_integer() else time)
    ((_, body),) = split(OPENMETRICS.render([family]))
    return [Moment(value, stamp) for _, value, stamp in _lines(body)]


def repeated(point: Point, stamps: Iterable[bytes]) -> bytes:
    """Give the lines of a series that is the same at several moments."""
    pieces = [b"%b %b " % line for line in zip(point.heads, point.values, strict=True)]
    return b"".join((stamp + b"\n").join((*pieces, b"")) for stamp in stamps)


def telling_the_time(heads: Texts, at: Iterable[Moment]) -> bytes:
    """Give the lines of a series whose value is the moment itself."""
    return b"".join(b"%b %b %b\n" % (head, *moment) for moment in at for head in heads)


def _stamped(metric: Metric, labels: Mapping[str, str]) -> Metric:
    stamped = copy.copy(metric)
    stamped.samples = [
        sample._replace(labels={**sample.labels, **labels}, timestamp=0, exemplar=None) for sample in metric.samples
    ]
    return stamped


def _points(metric: Metric, body: bytes) -> Iterator[Point]:
    lines = zip(metric.samples, _lines(body), strict=True)
    for _, its_lines in groupby(lines, key=lambda line: {**line[0].labels, "le": ""}):
        parted = [parts for _, parts in its_lines]
        yield Point(tuple(head for head, _, _ in parted), tuple(value for _, value, _ in parted))


def _lines(body: bytes) -> list[list[bytes]]:
    """Part lines into what comes before the value, the value, and the timestamp."""
    # By newlines alone: whatever else may end a line elsewhere is a character of a label's value here.
    return [line.rsplit(b" ", 2) for line in body.split(b"\n") if line]
