"""The ratios of `make bench-check`, which compare CPU times in one run, and depend little on the machine."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from benchmarks.configuration.__main__ import load_seconds
from benchmarks.cpu import cpu_seconds, reference_seconds
from benchmarks.poller.__main__ import kinds_of, measure_discovery
from benchmarks.poller.__main__ import measure as measure_polls
from benchmarks.poller.services import simulated_service
from benchmarks.saved_state import make_snapshot
from benchmarks.start.__main__ import measure as measure_start
from exporter.domain.units import DAY, HOUR
from exporter.metrics import SourceFamilies
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.providers.registry import SERVICES
from exporter.status.data_sources import AssessmentSettings, assess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client.core import Metric

STARTED, CONFIGURED, RENDERED = 1_000, 2_500, 100  # data sources
PAIRS = 5  # of a poll and a bare call


def measure() -> dict[str, float]:
    """Return every ratio by its name."""
    reference = reference_seconds()
    ratios = {
        f"start with {STARTED:,} data sources / reference": measure_start(STARTED).start / reference,
        f"configuration of {CONFIGURED:,} data sources / reference": load_seconds(CONFIGURED) / reference,
        f"assessment of {RENDERED} data sources / reference": _assessment_seconds() / reference,
        "rendering of a data source / prometheus_client": _rendering_ratio(),
    }
    for name in SERVICES:
        with simulated_service(name) as (url, ids):
            for kind, added in kinds_of(name).items():
                pairs = measure_polls(url, ids, added, PAIRS)
                ratio = statistics.median(poll / bare for poll, bare in pairs)
                ratios[f"{kind} poll of {name} / bare call of boto3"] = ratio
    ratios["discovery run / bare calls of boto3"] = statistics.median(
        run / bare for run, bare in measure_discovery(PAIRS)
    )
    return ratios


def _rendering_ratio() -> float:
    """Return the ratio of the CPU times for rendering data sources: of the exporter and of prometheus_client."""
    now = time.time()
    families, snapshots = SourceFamilies(QBUSINESS, DAY), [make_snapshot(number, now) for number in range(RENDERED)]
    parts = range(len(families.part_inputs(snapshots[0])))

    def render() -> None:
        for view in [families.view(snapshot, now) for snapshot in snapshots]:
            for part in parts:
                families.lines(view, part)

    def render_by_library() -> None:
        for snapshot in snapshots:
            collected = _MetricRegistry([metric for part in parts for metric in families.collect(snapshot, now, part)])
            generate_latest(collected)
            generate_openmetrics(collected)

    return cpu_seconds(render) / cpu_seconds(render_by_library)


def _assessment_seconds() -> float:
    """Return the CPU time of the assessment of data sources for the status page."""
    now, settings = time.time(), AssessmentSettings(DAY, (), HOUR)
    snapshots = [make_snapshot(number, now) for number in range(RENDERED)]
    return cpu_seconds(lambda: [assess(snapshot, now, settings) for snapshot in snapshots])


@dataclass(frozen=True, slots=True)
class _MetricRegistry:
    """The part of a registry that prometheus_client's renderers need."""

    metrics: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        return self.metrics
