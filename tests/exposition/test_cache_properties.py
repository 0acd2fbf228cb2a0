"""Scrapes return what prometheus_client would render, after any sequence of puts, removals and time."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData
from exporter.domain.model import Description, Location, Names
from exporter.domain.snapshots import SourceSnapshot
from exporter.domain.units import HOUR
from exporter.exposition import Exposition, ExpositionCache, chunks
from exporter.exposition import gzip as exposition_gzip
from exporter.metrics import SourceFamilies
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import AwsClock
from tests.support.builders import NOON, POLICY, FakeClock, make_job, make_source, scrape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

LABEL_VALUES = st.sampled_from(["intranet", 'quote"d', "back\\slash", "two\nlines", "# HELP qbusiness_fake", "üñï", ""])
JOBS = st.lists(
    st.builds(
        make_job,
        st.sampled_from("abcdef"),
        st.sampled_from(["SUCCEEDED", "FAILED", "INCOMPLETE", "SYNCING", "SYNCING_INDEXING", "PAUSED"]),
        st.floats(NOON - 30 * HOUR, NOON),
        st.none() | st.floats(0, 9 * HOUR),
        scanned=st.none() | st.integers(0, 10**12),
    ),
    max_size=4,
    unique_by=lambda job: job.execution_id,
)
DESCRIPTIONS = st.builds(
    Description,
    st.just("hr"),
    LABEL_VALUES,
    st.sampled_from(["ACTIVE", "UPDATING"]),
    schedule=st.sampled_from([None, "", "cron(0/30 * * * ? *)", "whenever"]),
    tags=st.just(()) | st.tuples(st.tuples(LABEL_VALUES, LABEL_VALUES)),
)


@st.composite
def snapshots(draw: st.DrawFn) -> SourceSnapshot:
    """Build a snapshot of a data source, from one that was never polled to one with a history."""
    history = None
    if draw(st.booleans()):
        history = fold(None, PollData(tuple(draw(JOBS)), NOON - HOUR, NOON - HOUR), POLICY)
        history = fold(history, PollData(tuple(draw(JOBS)), NOON, NOON), POLICY)
    names = Names(draw(LABEL_VALUES), draw(LABEL_VALUES))
    description, location = draw(st.none() | DESCRIPTIONS), Location("111122223333", "us-east-1")
    polled_at = draw(st.none() | st.floats(NOON - HOUR, NOON))
    return SourceSnapshot(make_source(), names, history, draw(st.booleans()), polled_at, "main", description, location)


@dataclass(frozen=True)
class Step:
    """One change: render in advance, let time pass, put or remove one source, then scrape or not."""

    key: str
    snapshot: SourceSnapshot | None
    passed: float
    prepared: float
    scraped: bool


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from("abcdefgh"),
        st.none() | snapshots(),
        st.sampled_from([0.0, 7.0, 1800.0, 9 * HOUR]),
        st.sampled_from([0.0, 1800.0, 30 * HOUR]),
        st.booleans(),
    ),
    max_size=16,
)


@mock.patch.object(chunks, "MAX_CHUNK_SOURCES", 2)
@given(STEPS, st.sampled_from([isal_zlib, zlib]))
@settings(max_examples=60)
def test_scrapes_equal_what_prometheus_client_renders(steps: list[Step], compression: ModuleType) -> None:
    """In each format and encoding, byte for byte, after one change or several; both formats have the same samples."""
    clock = FakeClock()
    cache: ExpositionCache[SourceSnapshot] = ExpositionCache(SourceFamilies(QBUSINESS, POLICY.window), clock)
    page = Exposition((cache,), CollectorRegistry())
    present: dict[str, SourceSnapshot] = {}
    for step in steps:
        for _ in page.prepare(step.prepared):
            pass
        clock.advance(step.passed)
        if step.snapshot is None:
            cache.remove(step.key)
            present.pop(step.key, None)
        else:
            present[step.key] = replace(step.snapshot, source=make_source(ord(step.key)))
            cache.put(step.key, present[step.key], AwsClock(clock))
        if step.scraped or step is steps[-1]:
            with mock.patch.object(exposition_gzip, "zlib", compression):
                check(page, expected_families(present, clock))
    text, openmetrics = (scrape(page, accept)[0].decode() for accept in ("", "application/openmetrics-text"))
    assert parsed(text_string_to_metric_families(text)) == parsed(parse_openmetrics(openmetrics))


def check(page: Exposition, expected: list[Metric]) -> None:
    """Compare each format and encoding with what prometheus_client renders."""
    for accept, render in (("", generate_latest), ("application/openmetrics-text", generate_openmetrics)):
        body, _ = scrape(page, accept)
        assert body == render(_ExpectedRegistry(expected))
        assert gzip.decompress(scrape(page, accept, "gzip")[0]) == body


def expected_families(present: Mapping[str, SourceSnapshot], clock: FakeClock) -> list[Metric]:
    """Collect the families of all sources, in the order of their keys."""
    sources = (collected(present[key], clock) for key in sorted(present))
    return [merged(families) for families in zip(*sources, strict=True)]


def collected(snapshot: SourceSnapshot, clock: FakeClock) -> list[Metric]:
    """Collect the families of one source as of now."""
    families = SourceFamilies(QBUSINESS, POLICY.window)
    parts = range(len(families.part_inputs(snapshot)))
    return [metric for part in parts for metric in families.collect(snapshot, AwsClock(clock).now(), part)]


def merged(families: tuple[Metric, ...]) -> Metric:
    """Merge the samples that several sources have in one family."""
    first = families[0]
    metric = Metric(first.name, first.documentation, first.type)
    metric.samples = [sample for family in families for sample in family.samples]
    return metric


def parsed(families: Iterable[Metric]) -> dict[str, list[tuple[str, dict[str, str], float]]]:
    """Return the samples of each family, without exemplars."""
    return {
        family.name: [(sample.name, sample.labels, sample.value) for sample in family.samples] for family in families
    }


@dataclass
class _ExpectedRegistry(CollectorRegistry):
    """A registry whose families are collected already."""

    metrics: list[Metric]

    def collect(self) -> list[Metric]:
        """Return the families."""
        return self.metrics
