"""A fast parser of the exporter's pages, because the simulation parses a hundred thousand of them."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.providers.registry import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.exposition import Exposition

OPENMETRICS = "application/openmetrics-text"
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_COUNTER_SUFFIXES = ("_total", "_bucket", "_count", "_sum")
_SOURCE_ID = "data_source_id"
_INDEX_IDS = tuple(dict.fromkeys(service.container.key for service in SERVICES.values()))
_IDENTITY_LABELS = frozenset(
    {
        _SOURCE_ID,
        *_INDEX_IDS,
        *(level.word for service in SERVICES.values() for level in service.levels),
    }
)
Labels = tuple[tuple[str, str], ...]
Families = dict[str, dict[Labels, float]]


@dataclass(frozen=True, slots=True)
class ParsedSeries:
    """The parts of a series.

    `family` is the name without the prefix of the service. `identity` is the id label of its data source or index, if
    it has one, and `other_labels` are the labels that do not identify it.
    """

    name: str
    family: str
    labels: dict[str, str]
    identity: tuple[str, str] | None
    other_labels: Labels
    is_counter: bool


@lru_cache(maxsize=100_000)
def parse_series(series: str) -> ParsedSeries:
    """Return the parts of a series."""
    name, _, text = series.partition("{")
    labels = dict(_LABEL.findall(text))
    identity = next(((label, labels[label]) for label in (_SOURCE_ID, *_INDEX_IDS) if label in labels), None)
    others = tuple(pair for pair in labels.items() if pair[0] not in _IDENTITY_LABELS)
    family = name.partition("_")[2]
    return ParsedSeries(name, family, labels, identity, others, name.endswith(_COUNTER_SUFFIXES))


@dataclass(slots=True)
class ParsedPage:
    """The samples of one scrape: all samples by series, and the samples of each data source and each index.

    The families of a data source or an index have names without the prefix of the service. Knowledge bases are indexes.
    """

    samples: dict[str, float]
    by_source: dict[str, Families] = field(default_factory=dict)
    by_index: dict[str, Families] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> ParsedPage:
        """Parse the text format; raise AssertionError for a duplicate series."""
        samples: dict[str, float] = {}
        for line in text.splitlines():
            if line and line[0] != "#":
                series, _, value = line.rpartition(" ")
                if series in samples:
                    raise AssertionError(f"duplicate series {series}")
                samples[series] = float(value)
        by_source: dict[str, Families] = defaultdict(lambda: defaultdict(dict))
        by_index: dict[str, Families] = defaultdict(lambda: defaultdict(dict))
        for written, sample in samples.items():
            parsed = parse_series(written)
            if parsed.identity:
                label, identifier = parsed.identity
                group = by_source if label == _SOURCE_ID else by_index
                group[identifier][parsed.family][parsed.other_labels] = sample
        return cls(samples, by_source, by_index)

    def value(self, name: str, **labels: str) -> float | None:
        """Return the first sample with a name and these labels; None without one."""
        return next((value for _, value in self.values(name, **labels)), None)

    def values(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """Yield the labels and the value of each sample with a name and these labels."""
        for text, value in self.samples.items():
            if text.startswith(name):
                series = parse_series(text)
                if series.name == name and labels.items() <= series.labels.items():
                    yield series.labels, value


def render(exposition: Exposition, accept: str = "") -> str:
    """Return the text of the page."""
    return b"".join(exposition.render(accept, "")[0]).decode()


def have_same_samples(text: str, openmetrics: str) -> bool:
    """Return whether both formats have the same samples. Only OpenMetrics has exemplars."""
    first = [line for line in text.splitlines() if not line.startswith("#")]
    second = [line.partition(" # {")[0] for line in openmetrics.splitlines() if not line.startswith("#")]
    return first == second and openmetrics.endswith("# EOF\n")


def parse_strictly(text: str, openmetrics: str) -> None:
    """Parse both formats with prometheus_client; raise ValueError for an invalid page."""
    for _ in parse_text(text):
        pass
    for _ in parse_openmetrics(openmetrics):
        pass
