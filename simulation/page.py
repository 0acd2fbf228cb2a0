"""A page as a scraper reads it: fast enough to be read a hundred thousand times."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

if TYPE_CHECKING:
    from exporter.exposition import Exposition

OPENMETRICS = "application/openmetrics-text"
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_COUNTING = ("_total", "_bucket", "_count", "_sum")  # may only grow
_NAMES = {
    "data_source_id": frozenset({"application", "data_source", "data_source_id"}),
    "index_id": frozenset({"application", "index", "index_id"}),
}
Labels = tuple[tuple[str, str], ...]
Families = dict[str, dict[Labels, float]]


@dataclass(frozen=True, slots=True)
class Series:
    """A series in its parts: what it is of (a label and its value, where it is of a thing), and its labels besides."""

    name: str
    labels: dict[str, str]
    of: tuple[str, str] | None
    rest: Labels
    is_counter: bool


@lru_cache(maxsize=100_000)
def read_series(series: str) -> Series:
    """Part a series."""
    name, _, text = series.partition("{")
    labels = dict(_LABEL.findall(text))
    of = next(((label, labels[label]) for label in ("data_source_id", "index_id") if label in labels), None)
    names = _NAMES.get(of[0] if of else "", frozenset[str]())
    rest = tuple(pair for pair in labels.items() if pair[0] not in names)
    return Series(name, labels, of, rest, name.endswith(_COUNTING))


@dataclass(slots=True)
class Scrape:
    """The samples of one scrape: by series as written, and those of each data source and of each index."""

    samples: dict[str, float]
    by_source: dict[str, Families] = field(default_factory=dict)
    by_index: dict[str, Families] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Scrape:
        """Read the text format."""
        samples: dict[str, float] = {}
        for line in text.splitlines():
            if line and line[0] != "#":
                written, _, value = line.rpartition(" ")
                if written in samples:
                    raise AssertionError(f"{written} stands there twice")
                samples[written] = float(value)
        things: dict[str, dict[str, Families]] = {label: defaultdict(lambda: defaultdict(dict)) for label in _NAMES}
        for written, sample in samples.items():
            series = read_series(written)
            if series.of:
                label, identifier = series.of
                things[label][identifier][series.name][series.rest] = sample
        return cls(samples, things["data_source_id"], things["index_id"])

    def value(self, name: str, **labels: str) -> float | None:
        """Give the sample of a name that has these labels, or None."""
        for text, value in self.samples.items():
            if text.startswith(name):
                series = read_series(text)
                if series.name == name and labels.items() <= series.labels.items():
                    return value
        return None


def scrape(exposition: Exposition, accept: str = "") -> str:
    """Give the text of a page."""
    return b"".join(exposition.render(accept, "")[0]).decode()


def say_the_same(text: str, openmetrics: str) -> bool:
    """Tell whether both formats have the same samples; exemplars are in one alone."""
    first = [line for line in text.splitlines() if not line.startswith("#")]
    second = [line.partition(" # {")[0] for line in openmetrics.splitlines() if not line.startswith("#")]
    return first == second and openmetrics.endswith("# EOF\n")


def parse_strictly(text: str, openmetrics: str) -> None:
    """Have prometheus_client's parsers read both; raises ValueError for what they refuse."""
    for _ in parse_text(text):
        pass
    for _ in parse_openmetrics(openmetrics):
        pass
