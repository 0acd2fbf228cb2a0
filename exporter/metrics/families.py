"""The types of metric families: declarations with a name, help, labels, and a function that returns the samples."""

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
"""The values of a family's own labels, and the value of the sample."""


class Family(Protocol):
    """A declaration of a metric family.

    `collect` takes a view (a SourceView or an IndexSnapshot) and the labels that identify its source or index.
    """

    @property
    def name(self) -> str:
        """The name, as exposed."""

    @property
    def kind(self) -> str:
        """The type: gauge, counter or histogram."""

    @property
    def help(self) -> str:
        """The HELP text."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The family's own labels, without the identifying ones."""

    def collect(self, view: Any, identity: Mapping[str, str]) -> Metric:  # noqa: ANN401 (depends on the family)
        """Return the family with its samples for one view."""


@dataclass(frozen=True, slots=True)
class ScalarFamily:
    """A family of gauges or counters."""

    kind: str
    name: str
    help: str
    samples: Callable[[Any], Iterable[Sample]]
    labels: tuple[str, ...] = ()

    def collect(self, view: Any, identity: Mapping[str, str]) -> Metric:  # noqa: ANN401 (depends on the family)
        """Return the family with its samples for one view."""
        make = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        metric = make(self.name, self.help, labels=(*identity, *self.labels))
        for values, value in self.samples(view):
            metric.add_metric((*identity.values(), *values), value)
        return metric


Gauge = partial(ScalarFamily, "gauge")
Counter = partial(ScalarFamily, "counter")


@dataclass(frozen=True, slots=True)
class InfoFamily:
    """A gauge that is always 1, with facts as labels.

    `labels` are the names for the documentation, such as `tag_*`: the real names depend on the facts.
    """

    name: str
    help: str
    facts: Callable[[Any], Mapping[str, str] | None]
    labels: tuple[str, ...]
    kind = "gauge"

    def collect(self, view: Any, identity: Mapping[str, str]) -> Metric:  # noqa: ANN401 (depends on the family)
        """Return the family with one sample, or without a sample if the facts are unknown."""
        metric = GaugeMetricFamily(self.name, self.help)
        facts = self.facts(view)
        if facts is not None:
            metric.add_sample(self.name, {**identity, **facts}, 1.0)
        return metric


@dataclass(frozen=True, slots=True)
class HistogramFamily:
    """A family of histograms, one for each value of its only label."""

    name: str
    help: str
    histograms: Callable[[Any], Mapping[str, Histogram]]
    labels: tuple[str, ...]
    kind = "histogram"

    def collect(self, view: Any, identity: Mapping[str, str]) -> Metric:  # noqa: ANN401 (depends on the family)
        """Return the family with its samples for one view."""
        metric = HistogramMetricFamily(self.name, self.help, labels=(*identity, *self.labels))
        for value, histogram in sorted(self.histograms(view).items()):
            metric.add_metric((*identity.values(), value), list(_buckets(histogram)), histogram.sum)
        return metric


def _buckets(histogram: Histogram) -> Iterator[tuple[str, float] | tuple[str, float, ExemplarSample]]:
    bounds = (*(floatToGoString(bound) for bound in histogram.bounds), "+Inf")
    for bound, count, exemplar in zip(bounds, accumulate(histogram.counts), histogram.exemplars, strict=True):
        if exemplar is None:
            yield bound, count
        else:
            labels = {"execution_id": exemplar.execution_id}
            yield bound, count, ExemplarSample(labels, exemplar.seconds, exemplar.timestamp)


def optional_sample(value: float | None) -> Iterator[Sample]:
    """Yield one sample without own labels; yield nothing if the value is None."""
    if value is not None:
        yield (), value


def state_set(current: str | None, states: Iterable[str]) -> Iterator[Sample]:
    """Yield 1 for the current state and 0 for the others, including a current state that is undocumented."""
    if current:
        for state in dict.fromkeys((*states, current)):
            yield (state,), float(state == current)
