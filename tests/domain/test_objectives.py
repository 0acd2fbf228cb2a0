"""The objectives of a data source: the first match, then the defaults, and the success age from the schedule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from exporter.config import ObjectiveConfig
from exporter.domain.model import Description, Names
from exporter.domain.objectives import (
    DEFAULT_MAX_DURATION,
    DEFAULT_MAX_FAILED_RATIO,
    DEFAULT_MIN_DOCUMENTS_SCANNED,
    Objectives,
)
from exporter.domain.snapshots import SourceSnapshot
from exporter.domain.source_view import SourceView
from exporter.domain.units import DAY, HOUR
from tests.support.builders import NOON, make_source

DEFAULTS = Objectives(None, DEFAULT_MAX_DURATION, DEFAULT_MAX_FAILED_RATIO, DEFAULT_MIN_DOCUMENTS_SCANNED)


def make_snapshot(schedule: str | None = None, kind: str = "SHAREPOINTV2", **labels: str) -> SourceSnapshot:
    """Build a snapshot; an empty `kind` is a type that is not known yet."""
    description = Description("", kind, "ACTIVE", schedule=schedule) if kind else None
    source = replace(make_source(), labels=tuple(labels.items()))
    names, tags = Names("intranet", "hr-sharepoint"), (("team", "it"),)
    return SourceSnapshot(source, names, None, None, None, "main", description, tags=tags)


def objectives_of(snapshot: SourceSnapshot, *configured: dict[str, Any], now: float = NOON) -> Objectives:
    """Return the objectives of a source for a configuration."""
    rules = tuple(ObjectiveConfig.model_validate(each) for each in configured)
    return SourceView(snapshot, now, DAY, rules).objectives


@pytest.mark.parametrize("schedule", [None, "", "whenever"])
def test_without_configuration_and_schedule_only_the_defaults_apply(schedule: str | None) -> None:
    """There is no success age for a source that is synced on demand."""
    assert objectives_of(make_snapshot(schedule)) == DEFAULTS


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        ("cron(0 2 * * ? *)", 2),
        ("cron(0/30 * * * ? *)", 1 / 24),
        ("cron(0 6,18 ? * MON-FRI *)", 2 * 2.5),
        ("cron(0 2 ? * SUN *)", 14),
        ("cron(0 2 1 * ? *)", 62),
        ("cron(0 2 29 2 ? *)", 2 * 1461),
        ("cron(0 2 ? * FRI#5 *)", 2 * 119),
    ],
)
def test_the_success_age_is_twice_the_longest_gap_and_an_hour(schedule: str, days: float) -> None:
    """A weekend or a long month does not fire an alert."""
    expected = replace(DEFAULTS, max_success_age=days * DAY + HOUR, follows_schedule=True)
    assert objectives_of(make_snapshot(schedule)) == expected


def test_a_schedule_without_a_next_firing_implies_no_success_age() -> None:
    """The objective ends with the last firing."""
    snapshot = make_snapshot("cron(0 2 ? * MON 2025-2026)")
    last_firing = 1_798_423_200.0  # 2026-12-28 02:00 UTC
    assert objectives_of(snapshot, now=last_firing - 60).max_success_age == 14 * DAY + HOUR
    assert objectives_of(snapshot, now=last_firing) == DEFAULTS


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ({}, True),
        ({"application": "intra*"}, True),
        ({"application": "Intra*"}, False),
        ({"data_source": "hr-*", "type": "SHAREPOINT*"}, True),
        ({"data_source": "hr-*", "type": "S3"}, False),
        ({"labels": {"team": "hr"}}, True),
        ({"labels": {"team": "h*", "stage": "*"}}, False),
        ({"labels": {"team": "legal"}}, False),
        ({"tags": {"team": "i*"}}, True),
        ({"tags": {"team": "hr"}}, False),
        ({"tags": {"team": "it", "stage": "*"}}, False),
        ({"tags": {"team": "it"}, "labels": {"team": "hr"}}, True),
        ({"service": "q*"}, True),
        ({"service": "kendra"}, False),
        ({"index": "main"}, True),
        ({"index": "side"}, False),
        ({"data_source_id": "src*"}, True),
        ({"data_source_id": "src"}, False),
    ],
)
def test_an_objective_applies_if_all_its_globs_match(match: dict[str, Any], *, matches: bool) -> None:
    """Globs match complete names and are case-sensitive. Labels are from the configuration, and tags from AWS."""
    objectives = objectives_of(make_snapshot(team="hr"), {"match": match, "max_duration": "12h"})
    assert objectives.max_duration == (12 * HOUR if matches else DEFAULT_MAX_DURATION)


def test_an_unknown_type_matches_only_empty_globs() -> None:
    """The type is unknown before the first discovery run, and if GetDataSource is denied."""
    assert objectives_of(make_snapshot(kind=""), {"match": {"type": "S*"}, "max_duration": "12h"}) == DEFAULTS


@pytest.mark.parametrize(
    ("schedule", "every", "days"),
    [("", "1d", 2), ("cron(0 2 ? * SUN *)", "1d", 2), ("cron(0 2 * * ? *)", "7d", 2)],
)
def test_the_success_age_follows_the_shorter_expected_gap(schedule: str, every: str, days: float) -> None:
    """A schedule and `expected_every` both apply, so the shorter gap is used."""
    objectives = objectives_of(make_snapshot(schedule), {"expected_every": every})
    assert objectives.max_success_age == days * DAY + HOUR


def test_only_the_first_match_applies() -> None:
    """Thresholds that it does not set have their defaults, and a configured success age replaces the schedule's."""
    configured = (
        {"match": {"data_source": "archive-*"}, "max_duration": "1h"},
        {"match": {"data_source": "hr-*"}, "max_success_age": "8d", "max_failed_ratio": 0},
        {"max_duration": "2h", "min_documents_scanned": 100},
    )
    expected = replace(DEFAULTS, max_success_age=8 * DAY, max_failed_ratio=0)
    assert objectives_of(make_snapshot(), *configured) == expected
    assert objectives_of(make_snapshot("cron(0 2 * * ? *)"), *configured) == expected
