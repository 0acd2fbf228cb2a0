"""The types of metric families: declarations with a name, help, labels, and a function that returns the samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.samples import Exemplar as ExemplarSample

from exporter.exposition.lines import (
    EXEMPLAR_LABEL,
    Identity,
    facts_line,
    fits_exemplar,
    lines_text,
    rendered_value,
    with_exemplar,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from exporter.domain.counting.source_history import Exemplar, Histogram
    from exporter.exposition.lines import FormatLines

View = TypeVar("View")
Sample = tuple[tuple[str, ...], float]
"""The values of a family's own labels, and the value of the sample."""


class LabelledView(NamedTuple, Generic[View]):
    """A view, and the labels that identify its source or index."""

    view: View
    identity: Identity


class Family(Protocol):
    """A declaration of a metric family.

    `collect` takes a view (a SourceView or an ContainerSnapshot) and the labels that identify its source or index.
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

    def lines(self, view: Any, identity: Identity) -> FormatLines:  # noqa: ANN401 (depends on the family)
        """Return the samples of `collect` as lines, but faster."""


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

    def lines(self, view: Any, identity: Identity) -> FormatLines:  # noqa: ANN401 (depends on the family)
        """Return the samples for one view as lines."""
        if self.labels:
            return _same_lines(lines_text(self.name, identity, self.labels, tuple(self.samples(view))))
        for _, value in self.samples(view):  # at most one: two samples without own labels would be the same series
            line = f"{self.name}{{{identity.text}}} {rendered_value(value)}\n".encode()
            return line, line
        return NO_LINES


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

    def lines(self, view: Any, identity: Identity) -> FormatLines:  # noqa: ANN401 (depends on the family)
        """Return the line of the only sample."""
        facts = self.facts(view)
        return _same_lines("" if facts is None else facts_line(self.name, identity, facts))


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
            buckets = [
                (
                    bound,
                    count,
                    ExemplarSample({EXEMPLAR_LABEL: exemplar.execution_id}, exemplar.seconds, exemplar.timestamp),
                )
                if exemplar and fits_exemplar(exemplar.execution_id)
                else (bound, count)
                for bound, count, exemplar in _buckets(histogram)
            ]
            metric.add_metric((*identity.values(), value), buckets, histogram.sum)
        return metric

    def lines(self, view: Any, identity: Identity) -> FormatLines:  # noqa: ANN401 (depends on the family)
        """Return the samples for one view as lines, with exemplars in OpenMetrics only."""
        text, openmetrics = "", ""
        for value, histogram in sorted(self.histograms(view).items()):
            samples = [((value, bound), count) for bound, count, _ in _buckets(histogram)]
            buckets = lines_text(f"{self.name}_bucket", identity, (*self.labels, "le"), samples)
            totals = lines_text(f"{self.name}_count", identity, self.labels, [((value,), sum(histogram.counts))])
            totals += lines_text(f"{self.name}_sum", identity, self.labels, [((value,), histogram.sum)])
            text += buckets + totals
            openmetrics += _with_exemplars(buckets, histogram.exemplars) + totals
        return text.encode(), openmetrics.encode()


NO_LINES: FormatLines = (b"", b"")

AnyFamily = ScalarFamily | InfoFamily | HistogramFamily


def _buckets(histogram: Histogram) -> Iterator[tuple[str, int, Exemplar | None]]:
    """Yield the upper bound of each bucket, its cumulative count, and its exemplar."""
    return zip(_bound_texts(histogram.bounds), accumulate(histogram.counts), histogram.exemplars, strict=True)


@lru_cache
def _bound_texts(bounds: tuple[float, ...]) -> tuple[str, ...]:
    return (*map(rendered_value, bounds), "+Inf")


def _with_exemplars(buckets: str, exemplars: Sequence[Exemplar | None]) -> str:
    """Return the lines of buckets with their exemplars. Few buckets have one."""
    lines = buckets.split("\n")
    for number, exemplar in enumerate(exemplars):
        if exemplar and fits_exemplar(exemplar.execution_id):
            lines[number] = with_exemplar(lines[number], exemplar.execution_id, exemplar.seconds, exemplar.timestamp)
    return "\n".join(lines)


def _same_lines(text: str) -> FormatLines:
    """Return lines that are the same in both formats."""
    encoded = text.encode()
    return encoded, encoded


def declarations(families: Iterable[Family]) -> dict[str, Metric]:
    """Return families without samples, by their names."""
    return {family.name: Metric(family.name.removesuffix("_total"), family.help, family.kind) for family in families}


def optional_sample(value: float | None) -> Sequence[Sample]:
    """Return one sample without own labels; none if the value is None."""
    return () if value is None else (((), value),)


@lru_cache(maxsize=1024)
def state_set(current: str | None, states: tuple[str, ...]) -> Sequence[Sample]:
    """Return 1 for the current state, even if it is undocumented, and 0 for all other states."""
    all_states = dict.fromkeys((*states, current)) if current else ()
    return tuple([((state,), float(state == current)) for state in all_states])
