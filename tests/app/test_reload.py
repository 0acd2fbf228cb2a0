"""Reloads of the running program, which do not interrupt anything that the new configuration does not change."""

from __future__ import annotations

import itertools
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.simulator.clock import ScaledClock
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import Program, config_for, eventually, fleet_of, serve
from tests.support.oracle import busy_source, expected_totals, finish_jobs, totals_match
from tests.support.request_log import logged_requests

if TYPE_CHECKING:
    from collections.abc import Iterator

Series = tuple[str, frozenset[tuple[str, str]]]
RELOADED = "qbusiness_exporter_config_last_reload_successful"
COMPLETED = "qbusiness_sync_jobs_completed_total"
COUNTER_PREFIXES = ("qbusiness_sync_job", "qbusiness_documents_")
VARIANTS: tuple[dict[str, object], ...] = ({"window": "25h"}, {"concurrency": 3}, {"interval": "150ms"}, {})
POLLED = "qbusiness_last_successful_poll_timestamp_seconds"


def rewrite(program: Program, text: str) -> None:
    """Write the configuration file of the program."""
    Path(program.arguments[2]).write_text(text)


def post(program: Program, method: str = "POST") -> tuple[int, str]:
    """Request a reload."""
    return program.request(method, "/-/reload")


def reload(program: Program, config: dict[str, Any]) -> None:
    """Reload with a valid configuration."""
    rewrite(program, yaml.safe_dump(config))
    assert post(program) == (200, "Configuration reloaded.\n")


def with_sources(config: dict[str, Any], *numbers: int, **polling: object) -> dict[str, Any]:
    """Return a configuration with only these of its data sources, and with other polling settings."""
    (target,) = config["targets"]
    sources = [target["data_sources"][number] for number in numbers]
    return {
        **config,
        "targets": [{**target, "data_sources": sources}],
        "polling": {**config["polling"], **polling},
    }


@pytest.fixture
def service() -> Iterator[SimulatedEndpoint]:
    """Yield a service with three data sources, each with one ended job."""
    sources = [
        SimulatedDataSource(name, jobs=[PlannedJob(make_id(name), time.time() - 900, 60, 30)])
        for name in ("hr", "it", "law")
    ]
    with SimulatedEndpoint(fleet_of(*sources)) as service:
        yield service


def test_a_reload_adds_and_removes_named_sources(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The unchanged source stays exposed without another poll."""
    config = config_for(service, tmp_path / "state.db", interval="1h", idle_interval="1h")
    ids = [source.id for _, _, source in service.fleet.data_sources()]
    with serve(tmp_path, with_sources(config, 0, 1)) as program:
        program.until_ready()
        requests_before = len(logged_requests(service, "ListDataSourceSyncJobs", ids[0]))
        reload(program, with_sources(config, 0, 2))
        scrape = program.scrape()
        assert scrape.value(POLLED, data_source_id=ids[0]) is not None
        assert scrape.value("qbusiness_poll_success", data_source_id=ids[0]) == 1
        assert scrape.value(POLLED, data_source_id=ids[1]) is None
        eventually(lambda: program.scrape().value("qbusiness_poll_success", data_source_id=ids[2]) == 1)
        assert len(logged_requests(service, "ListDataSourceSyncJobs", ids[0])) == requests_before
        assert program.scrape().value("qbusiness_exporter_data_sources") == 2
        assert program.get("/-/ready")[0] == 200
        program.until_logged("data source added", f"data_source_id={ids[2]}")
        program.until_logged("data source removed", f"data_source_id={ids[1]}")
        program.until_logged("configuration applied", "changed=['test']")


def test_sighup_reloads(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The signal has the effect of a request to `/-/reload`."""
    config = config_for(service, tmp_path / "state.db")
    with serve(tmp_path, with_sources(config, 0)) as program:
        program.until_ready()
        rewrite(program, yaml.safe_dump(config))
        program.process.send_signal(signal.SIGHUP)
        eventually(lambda: program.scrape().value("qbusiness_poll_success") == 3)
        assert program.stop() == 0


def test_an_invalid_file_changes_nothing_and_is_reported(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The response and the log have each problem with its position. The metric is 0 until a valid reload."""
    config = config_for(service, tmp_path / "state.db")
    with serve(tmp_path, config) as program:
        program.until_ready()
        before = program.scrape().value("qbusiness_exporter_config_last_reload_success_timestamp_seconds")
        rewrite(program, "targets: []\npoling: {}\n")
        status, text = post(program, "PUT")
        assert status == 500
        assert "config.yaml:2:1: poling: no such key; did you mean polling?" in text
        assert "keeping the previous one" in text
        program.until_logged("configuration reload failed", "poling: no such key")
        scrape = program.scrape()
        assert scrape.value(RELOADED) == 0
        assert scrape.value("qbusiness_exporter_config_last_reload_success_timestamp_seconds") == before
        assert scrape.value("qbusiness_poll_success") == 3
        reload(program, config)
        scrape = program.scrape()
        assert scrape.value(RELOADED) == 1
        assert (scrape.value("qbusiness_exporter_config_last_reload_success_timestamp_seconds") or 0) > (before or 0)
        for method in ("GET", "HEAD", "DELETE"):
            assert post(program, method)[0] == 405


def test_a_shorter_interval_applies_at_once(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """A source that was due in an hour is polled soon after the reload."""
    config = config_for(service, tmp_path / "state.db")
    with serve(tmp_path, with_sources(config, 0, interval="1h", idle_interval="1h")) as program:
        program.until_ready()
        requests_before = len(service.requests)
        reload(program, with_sources(config, 0))
        eventually(lambda: len(service.requests) > requests_before + 10)


def test_a_reload_adds_and_removes_targets(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """A removed target disappears with all its series, and the other target is unaffected."""
    other = Fleet(
        [SimulatedApplication("support", [SimulatedIndex("faq", [SimulatedDataSource("zendesk")])])], region="eu-west-1"
    )
    with SimulatedEndpoint(other) as second:
        config = config_for(service, tmp_path / "state.db")
        more = {"name": "emea", "region": "eu-west-1", "endpoint_url": second.url}
        both = {**config, "targets": [*config["targets"], more]}
        with serve(tmp_path, both) as program:
            program.until_ready()
            assert program.scrape().value("qbusiness_exporter_target_up") == 2
            assert program.scrape().value("qbusiness_index_documents", index="faq") is not None
            reload(program, config)
            scrape = program.scrape()
            assert scrape.value("qbusiness_poll_success") == 3
            assert scrape.value("qbusiness_index_documents", index="faq") is None
            for name in (
                "qbusiness_exporter_target_up",
                "qbusiness_exporter_polls_total",
                "qbusiness_exporter_data_sources",
            ):
                assert scrape.value(name, target="emea") is None
                assert scrape.value(name, target="test") is not None
            requests_before = len(second.requests)
            reload(program, both)
            eventually(lambda: program.scrape().value("qbusiness_poll_success") == 4)
            assert len(second.requests) > requests_before
            program.until_logged("configuration applied", "removed=['emea']")
            program.until_logged("configuration applied", "added=['emea']")


def test_an_index_of_two_targets_stays_when_one_is_removed(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The other target still publishes the index."""
    one = {"region": "us-east-1", "endpoint_url": service.url, "discovery": {"interval": "1h"}}
    config = config_for(service, tmp_path / "state.db")
    both = {**config, "targets": [{**one, "name": "one"}, {**one, "name": "two"}]}
    with serve(tmp_path, both) as program:
        program.until_ready()
        eventually(lambda: len(logged_requests(service, "ListDataSources")) == 2)
        eventually(lambda: program.scrape().value("qbusiness_exporter_discovery_success") == 2)
        reload(program, {**config, "targets": both["targets"][1:]})
        assert program.scrape().value("qbusiness_index_documents") is not None


def test_a_reload_applies_changed_filters(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """A source that is excluded is removed immediately. Included again, it continues with its counters."""
    target = {"name": "test", "region": "us-east-1", "endpoint_url": service.url}
    config = config_for(service, tmp_path / "state.db")

    def filtered(*patterns: str) -> dict[str, Any]:
        exclude = [{"data_source": pattern} for pattern in patterns]
        return {**config, "targets": [{**target, "discovery": {"interval": "1h", "exclude": exclude}}]}

    with serve(tmp_path, filtered()) as program:
        program.until_ready()
        (_, _, source), *_ = service.fleet.data_sources()
        source.jobs.append(PlannedJob(make_id("new"), time.time() + 2, 0.5, 0.1))
        eventually(lambda: program.scrape().value(COMPLETED, data_source="hr", status="SUCCEEDED") == 1)
        described = len(logged_requests(service, "GetDataSource"))
        reload(program, filtered("h*"))
        scrape = program.scrape()
        assert scrape.value(COMPLETED, data_source="hr") is None
        assert scrape.value("qbusiness_data_source_info") == 2
        assert scrape.value("qbusiness_index_documents") is not None
        program.until_logged("data source removed", "data_source=hr")
        reload(program, filtered())
        eventually(lambda: program.scrape().value(COMPLETED, data_source="hr", status="SUCCEEDED") == 1)
        program.until_logged("data source found", "data_source=hr")
        eventually(lambda: len(logged_requests(service, "GetDataSource")) == described + 1)


def test_a_changed_state_path_is_reported_and_not_applied(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The program continues with the state file that it has opened."""
    config = config_for(service, tmp_path / "state.db")
    with serve(tmp_path, config) as program:
        program.until_ready()
        rewrite(program, yaml.safe_dump({**config, "state": {"path": str(tmp_path / "other.db")}}))
        state = tmp_path / "state.db"
        warning = f"state not applied: a restart is needed; until then, {state} is in use\n"
        assert post(program) == (200, f"Configuration reloaded.\n{warning}")
        program.until_logged("state not applied")
        reload(program, config)
        assert not (tmp_path / "other.db").exists()


def scrape_counters(program: Program) -> dict[Series, float]:
    """Return the scraped counters of jobs and documents."""
    suffixes = ("_total", "_count", "_sum")
    samples = program.scrape().samples.items()
    return {key: value for key, value in samples if key[0].startswith(COUNTER_PREFIXES) and key[0].endswith(suffixes)}


@pytest.mark.trial
def test_every_job_counts_once_over_many_reloads(tmp_path: Path) -> None:
    """Jobs and polls are in progress during the reloads. The totals are correct, and no counter falls."""
    clock = ScaledClock()
    sources = [SimulatedDataSource(f"source-{number}") for number in range(4)]
    with SimulatedEndpoint(fleet_of(*sources), clock) as service:
        config = config_for(service, tmp_path / "state.db")
        with serve(tmp_path, config) as program:
            program.until_ready()
            for source in sources:
                source.routine = busy_source(source.name, clock.now() + 1.5).routine
            before: dict[Series, float] = {}
            variants = itertools.cycle(VARIANTS)
            deadline = time.monotonic() + 8
            reloads = 0
            while time.monotonic() < deadline or reloads < 11:  # also on a slow machine
                reload(program, with_sources(config, *range(4), **next(variants)))
                reloads += 1
                counters = scrape_counters(program)
                assert before.keys() <= counters.keys()
                assert all(counters[key] >= value for key, value in before.items())
                before = counters
            assert finish_jobs(program, sources, clock) > 10
            scrape = program.scrape()
            assert all(totals_match(scrape, source, expected_totals(source, 0.0, clock.now())) for source in sources)
            assert len(program.until_logged("configuration applied", lines=reloads)) == reloads
