"""Expectations of data sources, over real HTTP: the metrics, the page, the JSON and the alerts agree."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain.model import Location
from exporter.domain.units import DAY, HOUR, MINUTE
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.broken_account import job
from tests.support.harness import eventually
from tests.support.running_exporter import RunningExporter
from tests.support.shipped_rules import assert_firing
from tests.support.simulated_service import one_index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = "qbusiness_data_source_"


def fleet_of_sources(now: float) -> list[SimulatedDataSource]:
    """Return data sources whose names say what happened to them."""
    # A minute more than four days: the clock of the service has whole seconds, and a duration is rounded down.
    every_six_hours = [job(f"stopped-{n}", 4 * DAY + MINUTE + n * 6 * HOUR, duration=900) for n in range(56)]
    next_hour = (int(now / HOUR) + 2) % 24
    return [
        SimulatedDataSource(
            "schedule-just-set",
            schedule=f"cron(0 {next_hour} * * ? *)",
            updated=now - 600,
            jobs=[job("set", 3 * DAY)],
        ),
        SimulatedDataSource(
            "weekly-made-hourly",
            # It has not fired since: its next firing is up to an hour away.
            schedule=f"cron({int(now / 60 + 30) % 60} * * * ? *)",
            updated=now - 72,
            jobs=[job("weekly", 6 * DAY)],
        ),
        SimulatedDataSource("never-synced", created=now - 10 * DAY, updated=now - 10 * DAY),
        SimulatedDataSource("stopped", kind="CUSTOM", jobs=every_six_hours),
        SimulatedDataSource("expected-daily", jobs=[job("expected", 26 * HOUR)]),
        SimulatedDataSource("expected-daily-and-fine", jobs=[job("expected-fine", 2 * HOUR)]),
    ]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[RunningExporter]:
    """Return an exporter that has polled the data sources once."""
    fleet, _ = one_index(*fleet_of_sources(time.time()))
    with SimulatedEndpoint(fleet) as service:
        expected = {"match": {"data_source": "expected-*", "index": "main"}, "expected_every": "1d"}
        with RunningExporter({**config_of(service, tmp_path), "objectives": [expected]}) as program:
            program.until_ready()
            eventually(lambda: len(by_name(program)) == len(fleet_of_sources(0.0)))
            yield program


def by_name(program: RunningExporter) -> dict[str, dict[str, Any]]:
    """Return the described data sources of the JSON by name."""
    status, body = program.request("GET", "/api/v1/data-sources")
    assert status == 200, body
    sources = json.loads(body)["data_sources"]
    return {each["data_source"]: each for each in sources if each["schedule"] is not None}


def test_expectations_begin_when_they_exist(program: RunningExporter, tmp_path: Path) -> None:
    """A new schedule does not judge earlier syncs. A missing sync is found without a schedule."""
    sources = by_name(program)
    states = {name: source["state"] for name, source in sources.items()}
    assert states == {
        "schedule-just-set": "ok",
        "weekly-made-hourly": "ok",
        "never-synced": "unwatched",
        "stopped": "warning",
        "expected-daily": "warning",
        "expected-daily-and-fine": "ok",
    }
    assert sources["stopped"]["problems"][0]["text"] == (
        "No sync has started for 4 d: one is expected at least every 1 d, as learned from earlier syncs."
    )
    assert sources["never-synced"]["expectation"] == {
        "punctuality": "not watched for punctuality",
        "origin": None,
        "sync_gap": None,
    }
    _, page = program.request("GET", "/metrics")
    alerts = [
        ("QBusinessNoRecentSync", "warning", name) for name, state in sorted(states.items()) if state == "warning"
    ]
    assert_firing(tmp_path, page, {"data_source": alerts}, Location("111122223333", "us-east-1"))


def test_the_metrics_say_what_is_expected_and_since_when(program: RunningExporter) -> None:
    """A schedule that has not fired yet has no previous firing, and a source without expectations no gap."""
    scrape, sources = program.scrape(), by_name(program)

    def value(name: str, source: str, **labels: str) -> float | None:
        return scrape.value(PREFIX + name, data_source=source, **labels)

    for name, source in sources.items():
        assert value("updated_timestamp_seconds", name) == source["updated_at"]
        assert value("expected_sync_gap_seconds", name) == source["expectation"]["sync_gap"]
    assert value("previous_scheduled_sync_timestamp_seconds", "schedule-just-set") is None
    assert value("next_scheduled_sync_timestamp_seconds", "schedule-just-set") is not None
    since = sources["schedule-just-set"]["updated_at"]
    assert value("expectation_start_timestamp_seconds", "schedule-just-set", expectation="max_success_age") == since
    gaps = {name: source["expectation"]["sync_gap"] for name, source in sources.items()}
    assert gaps == {
        "schedule-just-set": DAY,
        "weekly-made-hourly": HOUR,
        "never-synced": None,
        "stopped": DAY,
        "expected-daily": DAY,
        "expected-daily-and-fine": DAY,
    }


def test_the_page_shows_a_source_that_is_not_watched(program: RunningExporter) -> None:
    """The overview counts it, and the filter finds it."""
    _, page = program.request("GET", "/")
    assert "1 not watched for punctuality" in page
    assert "needs attention" in page or "need attention" in page
    _, filtered = program.request("GET", "/?state=unwatched")
    assert "never-synced" in filtered
    assert "expected-daily-and-fine" not in filtered


def test_a_stricter_objective_judges_from_the_reload_on(tmp_path: Path) -> None:
    """A restart does not make it older. If it is set during a downtime, the restart is its start."""
    fleet, _ = one_index(SimulatedDataSource("hr", jobs=[job("old", 3 * DAY)]))
    with SimulatedEndpoint(fleet) as service:
        config = config_of(service, tmp_path)
        with RunningExporter(config) as program:
            program.until_ready()
            eventually(lambda: "hr" in by_name(program))
            reloaded_at = time.time()
            stricter = {**config, "objectives": [{"max_success_age": "1d"}]}
            program.reload(stricter)
            start = start_of(program, "max_success_age")
            assert start >= int(reloaded_at)
            assert by_name(program)["hr"]["state"] == "ok"
            assert program.scrape().value(f"{PREFIX}objective_max_success_age_seconds") == DAY
        with RunningExporter(stricter) as program:
            program.until_ready()
            assert start_of(program, "max_success_age") == start
            assert by_name(program)["hr"]["state"] == "ok"
        with RunningExporter({**config, "objectives": [{"max_success_age": "1d", "expected_every": "6h"}]}) as program:
            program.until_ready()
            assert start_of(program, "expected_every") >= start
            assert by_name(program)["hr"]["state"] == "ok"


def test_an_objective_that_is_there_from_the_start_judges_at_once(tmp_path: Path) -> None:
    """The exporter is new, and the syncs have stopped before."""
    fleet, _ = one_index(SimulatedDataSource("hr", jobs=[job("old", 3 * DAY)]))
    with SimulatedEndpoint(fleet) as service:
        config = {**config_of(service, tmp_path), "objectives": [{"max_success_age": "1d"}]}
        with RunningExporter(config) as program:
            program.until_ready()
            eventually(lambda: "hr" in by_name(program))
            assert by_name(program)["hr"]["state"] == "critical"


def test_an_objective_matches_on_a_tag_that_is_not_a_label(tmp_path: Path) -> None:
    """The tags are read only for the objective, and not published."""
    tagged, other = SimulatedDataSource("tagged", tags={"tier": "1"}), SimulatedDataSource("other", tags={"tier": "2"})
    fleet, _ = one_index(tagged, other)
    with SimulatedEndpoint(fleet) as service:
        strict = {"match": {"tags": {"tier": "1"}}, "max_duration": "1h"}
        with RunningExporter({**config_of(service, tmp_path), "objectives": [strict]}) as program:
            program.until_ready()
            eventually(lambda: len(by_name(program)) == 2)
            scrape = program.scrape()
    durations = {
        name: scrape.value(f"{PREFIX}objective_max_duration_seconds", data_source=name) for name in ("tagged", "other")
    }
    assert durations == {"tagged": HOUR, "other": DAY}
    assert not any(label == "tag_tier" for _, labels in scrape.samples for label, _ in labels)


def start_of(program: RunningExporter, expectation: str) -> float:
    """Return the start of an expectation of the only data source."""
    value = program.scrape().value(f"{PREFIX}expectation_start_timestamp_seconds", expectation=expectation)
    assert value is not None
    return value


def config_of(service: SimulatedEndpoint, folder: Path) -> dict[str, Any]:
    """Return a configuration with one target and a state file."""
    return {
        "targets": [{"region": "us-east-1", "endpoint_url": service.url}],
        "polling": {"requests_per_second": 500},
        "state": {"path": str(folder / "state.db")},
    }


def test_a_minimum_of_documents_judges_an_index_from_the_next_discovery_run_on(tmp_path: Path) -> None:
    """Metrics, page and JSON agree at each time."""
    fleet, _ = one_index(SimulatedDataSource("hr", jobs=[job("new", HOUR)]))
    with SimulatedEndpoint(fleet) as service:
        config = config_of(service, tmp_path)
        with RunningExporter(config) as program:
            program.until_ready()
            eventually(lambda: "hr" in by_name(program))
            program.reload({**config, "objectives": [{"min_index_documents": 1000}]})
            assert (minimum_of(program), problems_of_index(program)) == (None, [])
            config["targets"][0]["discovery"] = {"interval": "200ms"}
            program.reload({**config, "objectives": [{"min_index_documents": 1000}]})
            eventually(lambda: minimum_of(program) == 1000)
            problem = "The index holds 992 documents, fewer than the objective of 1000."
            assert problems_of_index(program) == [problem]
            assert problem in program.request("GET", "/")[1]
            program.reload(config)
            assert (minimum_of(program), problems_of_index(program)) == (None, [])


def minimum_of(program: RunningExporter) -> float | None:
    """Return the minimum of the only index."""
    return program.scrape().value("qbusiness_index_objective_min_documents")


def problems_of_index(program: RunningExporter) -> list[str]:
    """Return the problems of the only index in the JSON."""
    (index,) = json.loads(program.request("GET", "/api/v1/data-sources")[1])["indexes"]
    return [problem["text"] for problem in index["problems"]]
