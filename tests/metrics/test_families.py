"""The types of metric families."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.domain.counting.source_history import Exemplar, Histogram
from exporter.exposition.lines import Identity
from exporter.metrics.families import HistogramFamily

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class _OneFamily:
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> list[Metric]:
        return [self._family]


@pytest.mark.parametrize(("length", "exemplars"), [(116, 1), (117, 0), (2048, 0)])
def test_an_id_that_is_too_long_for_an_exemplar_is_left_out(length: int, exemplars: int) -> None:
    """OpenMetrics allows 128 characters, and an id of Amazon Kendra may have 2,048. Parsers reject longer ones."""
    histogram = Histogram.empty((60.0,)).observe(Exemplar("x" * length, 5.0, 1_700_000_000.0))
    family = HistogramFamily("job_seconds", "Help.", lambda _: {"FAILED": histogram}, ("status",))
    _, lines = family.lines(None, Identity(("source",), ("hr",)))
    rendered = generate_latest(_OneFamily(family.collect(None, {"source": "hr"}))).decode()
    for text in (f"# TYPE job_seconds histogram\n{lines.decode()}# EOF\n", rendered):
        (parsed,) = text_string_to_metric_families(text)
        assert sum(sample.exemplar is not None for sample in parsed.samples) == exemplars
