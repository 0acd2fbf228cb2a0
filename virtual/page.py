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
_COUNTING = ("_total", "_bucket", "_count", "_sum")
Labels = tuple[tuple[str, str], ...]


@lru_cache(maxsize=100_000)
def read_series(series: str) -> tuple[str, Labels]:
    """Part a series into its name and its labels."""
    name, _, rest = series.partition("{")
    return name, tuple(_LABEL.findall(rest))


@dataclass(slots=True)
class Page:
    """The samples of one scrape: by series as written, and those of each data source."""

    samples: dict[str, float]
    by_source: dict[str, dict[str, dict[Labels, float]]] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Page:
        """Read the text format."""
        samples: dict[str, float] = {}
        for line in text.splitlines():
            if line and line[0] != "#":
                series, _, value = line.rpartition(" ")
                if series in samples:
                    raise AssertionError(f"{series} stands there twice")
                samples[series] = float(value)
        page = cls(samples)
        sources: dict[str, dict[str, dict[Labels, float]]] = defaultdict(lambda: defaultdict(dict))
        for series, sample in samples.items():
            name, labels = read_series(series)
            source = next((text for label, text in labels if label == "data_source_id"), None)
            if source is not None:
                rest = tuple(pair for pair in labels if pair[0] not in {"application", "data_source", "data_source_id"})
                sources[source][name][rest] = sample
        page.by_source = sources
        return page

    def value(self, name: str, **labels: str) -> float | None:
        """Give the sample of a name that has these labels, or None."""
        wanted = set(labels.items())
        for series, value in self.samples.items():
            if series.startswith(name):
                found, its_labels = read_series(series)
                if found == name and wanted <= set(its_labels):
                    return value
        return None


def scrape(exposition: Exposition, accept: str = "") -> str:
    """Give the text of a page."""
    return b"".join(exposition.render(accept, "")[0]).decode()


def is_counter(series: str) -> bool:
    """Tell whether a series may only grow."""
    name = series.partition("{")[0]
    return name.endswith(_COUNTING)


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
