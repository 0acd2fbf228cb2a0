"""The exposition as a whole: the exporter's own metrics, and text from AWS that could break the format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from exporter.domain.label_names import tag_label
from exporter.domain.model import Description, Location, Names
from exporter.domain.snapshots import SourceSnapshot
from exporter.domain.units import HOUR
from tests.support.builders import NOON, FakeClock, make_job, make_source
from tests.support.exposition_page import ExpositionPage

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_own_metrics_are_collected_at_each_scrape(page: ExpositionPage, clock: FakeClock) -> None:
    """They are never cached."""
    page.put()
    before = page.value("own")
    clock.advance(5)
    assert page.value("own") == (before or 0) + 5


def test_there_are_no_created_series(page: ExpositionPage) -> None:
    """Prometheus would store them as further series."""
    page.put(make_job(started=NOON + 1))
    body, _ = page.render("application/openmetrics-text")
    assert b"_created" not in body.replace(b"data_source_created", b"")


@pytest.mark.parametrize("name", ['quote"d', "back\\slash", "new\nline", "# HELP qbusiness_fake", "üñï", ""])
def test_hostile_names_stay_within_their_label(page: ExpositionPage, name: str) -> None:
    """prometheus_client escapes them, and the cache never takes them for a header."""
    page.put(make_job(started=NOON - HOUR), name=name)
    assert page.value("qbusiness_sync_running", data_source=name) == 0.0
    assert page.value("qbusiness_consecutive_failed_syncs", data_source=name) == 0.0


@given(st.text(max_size=30), st.text(max_size=20), st.text(max_size=30))
def test_hostile_facts_stay_within_their_labels(schedule: str, key: str, tag: str) -> None:
    """Schedules, types and tags are arbitrary text from AWS."""
    schedule, key, tag = (text.encode("utf-8", "replace").decode() for text in (schedule, key, tag))
    page = ExpositionPage.empty(FakeClock())
    description = Description("hr", tag, schedule, schedule=schedule, tags=((key, tag),))
    names, location = Names("intranet", "hr"), Location("", "")
    page.put_snapshot(SourceSnapshot(make_source(), names, None, True, NOON, "main", description, location))  # noqa: FBT003 (a record)
    labels = _info_labels(page)
    assert labels["data_source_type"] == tag
    assert labels["schedule"] == schedule.strip()
    assert labels[tag_label(key)] == tag


def _info_labels(page: ExpositionPage) -> Mapping[str, str]:
    families = {family.name: family for family in text_string_to_metric_families(page.render()[0].decode())}
    (sample,) = families["qbusiness_data_source_info"].samples
    labels: Mapping[str, str] = sample.labels
    return labels
