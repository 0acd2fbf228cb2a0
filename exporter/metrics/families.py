"""The kinds of metric families, and a group of families about the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.samples import Exemplar as ExemplarSample
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

    from exporter.domain.source_history import Histogram

Sample = tuple[tuple[str, ...], float]
"""The values of a family's own labels, and the value."""


class Family(Protocol):
    """A declaration: what a family is called, what it means, and how its samples follow from a context."""

    @property
    def name(self) -> str:
        """Give the name as exposed."""

    @property
    def kind(self) -> str:
        """Give the type."""

    @property
    def help(self) -> str:
        """Give the meaning."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Give the labels beside those that identify."""

    def collect(self, view: Any, identity: Mapping[str, str]) -> Metric:  # noqa: ANN401 (whatever the group looks at)
        """Give the samples of one thing, whose identifying labels are given."""


@dataclass(frozen=True, slots=True)
class ScalarFamily:
    """A family of gauges or counters."""

    kind: str
    name: str
    help: str
    samples: Callable[[Any], Iterable[Sample]]
    labels: tuple[str, ...] = ()

    def collect(self, view: Any, identity: Mapping[str, str]) -> Metric:  # noqa: ANN401 (the group's)
        """Give the samples of one thing."""
        make = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        metric = make(self.name, self.help, labels=(*identity, *self.labels))
        for values, value in self.samples(view):
            metric.add_metric((*identity.values(), *values), value)
        return metric


@dataclass(frozen=True, slots=True)
class Info:
    """A family that is always 1 and whose labels carry the facts; `labels` are those that documentation names."""

    name: str
    help: str
    facts: Callable[[Any], Mapping[str, str] | None]
    labels: tuple[str, ...]
    kind = "gauge"

    def collect(self, view: Any, identity: Mapping[str, str]) -> Metric:  # noqa: ANN401 (the group's)
        """Give the sample of one thing; none where its facts are not known."""
        metric = GaugeMetricFamily(self.name, self.help)
        facts = self.facts(view)
        if facts is not None:
            metric.add_sample(self.name, {**identity, **facts}, 1.0)
        return metric


@dataclass(frozen=True, slots=True)
class HistogramFamily:
    """A family of histograms, one for each value of its one label."""

    name: str
    help: str
    histograms: Callable[[Any], Mapping[str, Histogram]]
    labels: tuple[str, ...]
    kind = "histogram"

    def collect(self, view: Any, identity: Mapping[str, str]) -> Metric:  # noqa: ANN401 (the group's)
        """Give the samples of one thing."""
        metric = HistogramMetricFamily(self.name, self.help, labels=(*identity, *self.labels))
        for value, histogram in sorted(self.histograms(view).items()):
            metric.add_metric((*identity.values(), value), list(_buckets(histogram)), histogram.sum)
        return metric


Gauge = partial(ScalarFamily, "gauge")
Counter = partial(ScalarFamily, "counter")


def _buckets(histogram: Histogram) -> Iterator[tuple[str, float] | tuple[str, float, ExemplarSample]]:
    bounds = (*(floatToGoString(bound) for bound in histogram.bounds), "+Inf")
    for bound, count, seen in zip(bounds, accumulate(histogram.counts), histogram.exemplars, strict=True):
        if seen is None:
            yield bound, count
        else:
            yield bound, count, ExemplarSample({"execution_id": seen.execution_id}, seen.seconds, seen.timestamp)


def optional_sample(value: float | None) -> Iterator[Sample]:
    """Give a sample without labels of its own; none where the value is not known."""
    if value is not None:
        yield (), value


def state_set(current: str | None, known: Iterable[str]) -> Iterator[Sample]:
    """Give 1 for the current status and 0 for the others, one that nobody knows under its own name."""
    if current:
        for status in dict.fromkeys((*known, current)):
            yield (status,), float(status == current)
