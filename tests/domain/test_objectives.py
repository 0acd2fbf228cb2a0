"""What the alerts hold each data source to: the first match, then the defaults, then the schedule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from exporter.aws import AwsClock
from exporter.config import ObjectiveConfig
from exporter.domain.model import Description, Names
from exporter.domain.schedule import parse_schedule
from exporter.domain.snapshots import SourceSnapshot
from exporter.exposition import Exposition, ExpositionCache
from exporter.metrics import SourceFamilies
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedQBusiness
from tests.app.test_reload import reload
from tests.domain.test_schedule import at, expressions, fires, values
from tests.support.builders import HOUR, NOON, FakeClock, make_source, scrape
from tests.support.harness import config_for, eventually, fleet_of, serve

if TYPE_CHECKING:
    from pathlib import Path

DAY = 24 * HOUR
PREFIX = "qbusiness_data_source_objective_"
STANDING = {"max_duration_seconds": DAY, "max_failed_ratio": 0.05, "min_documents_scanned": 1}


def source(schedule: str | None = None, kind: str = "SHAREPOINTV2", **labels: str) -> SourceSnapshot:
    """Build a data source as it is shown; its type is not known where it is empty."""
    description = Description("", kind, "ACTIVE", schedule=schedule) if kind else None
    named = replace(make_source(), labels=tuple(labels.items()))
    return SourceSnapshot(named, Names("intranet", "hr-sharepoint"), None, None, None, "main", description)


class Shown:
    """A page with one data source, held to some objectives."""

    def __init__(self, snapshot: SourceSnapshot, *objectives: dict[str, Any], now: float = NOON) -> None:
        self.clock = FakeClock(wall=now)
        families = SourceFamilies(DAY, tuple(ObjectiveConfig.model_validate(each) for each in objectives))
        section: ExpositionCache[SourceSnapshot] = ExpositionCache(families, self.clock)
        section.put("it", snapshot, AwsClock(self.clock))
        self._page = Exposition((section,), CollectorRegistry())

    def objectives(self) -> dict[str, float]:
        """Scrape the objectives."""
        families = text_string_to_metric_families(scrape(self._page)[0].decode())
        samples = (sample for family in families for sample in family.samples if family.name.startswith(PREFIX))
        return {sample.name.removeprefix(PREFIX): sample.value for sample in samples}


def test_without_objectives_and_schedule_the_defaults_stand_and_no_age() -> None:
    """Nobody can say how often what is synced on demand ought to be synced."""
    assert Shown(source()).objectives() == STANDING
    assert Shown(source(schedule="")).objectives() == STANDING
    assert Shown(source(schedule="whenever")).objectives() == STANDING


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
def test_with_a_schedule_the_age_is_twice_its_longest_gap_and_an_hour(schedule: str, days: float) -> None:
    """So that a weekend, or the longest of months, makes no alert."""
    assert Shown(source(schedule)).objectives() == {**STANDING, "max_success_age_seconds": days * DAY + HOUR}


def test_a_schedule_that_is_over_expects_nothing() -> None:
    """From the moment of its last firing, without a poll."""
    schedule = "cron(0 2 ? * MON 2025-2026)"
    shown = Shown(source(schedule), now=at("2026-12-28 01:59:00"))
    assert shown.objectives()["max_success_age_seconds"] == 14 * DAY + HOUR
    shown.clock.advance(61)
    assert shown.objectives() == STANDING


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
    ],
)
def test_an_objective_is_for_what_matches_in_all_that_it_gives(match: dict[str, Any], *, matches: bool) -> None:
    """By globs on whole names as they are spelled, and on configured labels."""
    held = Shown(source(team="hr"), {"match": match, "max_duration": "12h"}).objectives()
    assert held["max_duration_seconds"] == (12 * HOUR if matches else DAY)


def test_a_type_that_nobody_said_matches_no_glob_on_it() -> None:
    """Where discovery is off and GetDataSource is refused."""
    some = {"match": {"type": "S*"}, "max_duration": "12h"}
    assert Shown(source(kind=""), some).objectives() == STANDING


def test_the_first_match_wins_and_the_defaults_stand_behind_it() -> None:
    """A later match adds nothing to it."""
    objectives = (
        {"match": {"data_source": "archive-*"}, "max_duration": "1h"},
        {"match": {"data_source": "hr-*"}, "max_success_age": "8d", "max_failed_ratio": 0},
        {"max_duration": "2h", "min_documents_scanned": 100},
    )
    expected = {**STANDING, "max_success_age_seconds": 8 * DAY, "max_failed_ratio": 0}
    assert Shown(source(), *objectives).objectives() == expected
    assert Shown(source("cron(0 2 * * ? *)"), *objectives).objectives() == expected


@settings(max_examples=25)
@given(expressions, st.sampled_from(["0 2", "0/20 6-18", "15,45 0,12", "59 23", "0/30 20-2"]))
def test_the_longest_gap_is_that_of_a_walk_over_days(expression: str, minutes: str) -> None:
    """Over one whole cycle of dates and weekdays, for whatever AWS's grammar has."""
    fields = expression.split(maxsplit=2)[2]
    schedule = parse_schedule(f"{minutes} {fields}")
    assert schedule
    first, cycle = datetime(2023, 1, 1, tzinfo=UTC), timedelta(days=28 * 365 + 7)
    days = [day for day in (first + timedelta(days=n) for n in range(cycle.days)) if fires(f"* * {fields}", day)]
    if fields.endswith(" *"):
        days += [day + cycle for day in days[:1]]
    minute, hour = minutes.split()
    clock = sorted(timedelta(hours=h, minutes=m) for h in values(hour, 0, 23) for m in values(minute, 0, 59))
    gaps = [later - earlier for earlier, later in pairwise(clock)]
    gaps += [later - earlier - clock[-1] + clock[0] for earlier, later in pairwise(days)]
    assert schedule.longest_gap() == (max(gaps).total_seconds() if days and gaps else None)


def test_changed_objectives_apply_with_a_reload(tmp_path: Path) -> None:
    """To what is shown, without a request to AWS."""
    with SimulatedQBusiness(
        fleet_of(SimulatedDataSource("hr", schedule="cron(0 2 * * ? *)"), SimulatedDataSource("it"))
    ) as service:
        config = config_for(service, tmp_path / "state.db", interval="1h", idle_interval="1h")
        config["targets"][0]["data_sources"][0]["labels"] = {"team": "hr"}
        with serve(tmp_path, config) as program:
            program.until_ready()

            def held(objective: str, source: str) -> float | None:
                return program.scrape().value(PREFIX + objective, data_source=source)

            eventually(lambda: held("max_success_age_seconds", "hr") == 2 * DAY + HOUR)
            assert held("max_success_age_seconds", "it") is None
            asked = len(service.logged("ListDataSourceSyncJobs"))
            objectives = [{"match": {"labels": {"team": "hr"}}, "max_success_age": "3h"}, {"min_documents_scanned": 7}]
            reload(program, {**config, "objectives": objectives})
            assert held("max_success_age_seconds", "hr") == 3 * HOUR
            assert (held("min_documents_scanned", "hr"), held("min_documents_scanned", "it")) == (1, 7)
            reload(program, config)
            assert held("max_success_age_seconds", "hr") == 2 * DAY + HOUR
            assert len(service.logged("ListDataSourceSyncJobs")) == asked
