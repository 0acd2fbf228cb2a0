"""A changed configuration applied to the running program: what it does not change goes on as if nothing were."""

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
from exporter.simulator.server import SimulatedQBusiness
from tests.support.harness import Program, config_for, eventually, fleet_of, serve
from tests.support.oracle import busy_source, expected_totals, finish_jobs, totals_match

if TYPE_CHECKING:
    from collections.abc import Iterator

Series = tuple[str, frozenset[tuple[str, str]]]
RELOADED = "qbusiness_exporter_config_last_reload_successful"
COMPLETED = "qbusiness_sync_jobs_completed_total"
COUNTED = ("qbusiness_sync_job", "qbusiness_documents_")
VARIANTS: tuple[dict[str, object], ...] = ({"window": "25h"}, {"concurrency": 3}, {"interval": "150ms"}, {})
POLLED = "qbusiness_last_successful_poll_timestamp_seconds"


def rewrite(program: Program, text: str) -> None:
    """Change the program's configuration file."""
    Path(program.arguments[2]).write_text(text)


def post(program: Program, method: str = "POST") -> tuple[int, str]:
    """Ask for a reload."""
    return program.request(method, "/-/reload")


def reload(program: Program, config: dict[str, Any]) -> None:
    """Apply a configuration that is right."""
    rewrite(program, yaml.safe_dump(config))
    assert post(program) == (200, "Configuration reloaded.\n")


def lines(program: Program, *words: str) -> list[str]:
    """Give the lines of the log that have all of these words."""
    return [line for line in list(program.log) if all(word in line for word in words)]


def naming(config: dict[str, Any], *places: int, **polling: object) -> dict[str, Any]:
    """Give a configuration with some of its data sources alone."""
    (target,) = config["targets"]
    sources = [target["data_sources"][place] for place in places]
    return {
        **config,
        "targets": [{**target, "data_sources": sources}],
        "polling": {**config["polling"], **polling},
    }


@pytest.fixture
def service() -> Iterator[SimulatedQBusiness]:
    """Serve three data sources with an ended job each."""
    sources = [
        SimulatedDataSource(name, jobs=[PlannedJob(make_id(name), time.time() - 900, 60, 30)])
        for name in ("hr", "it", "law")
    ]
    with SimulatedQBusiness(fleet_of(*sources)) as service:
        yield service


def test_sources_come_and_go(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """What goes is no longer shown, what comes is polled, and what stays is neither asked anew nor ever missing."""
    config = config_for(service, tmp_path / "state.db", interval="1h", idle_interval="1h")
    ids = [source.id for _, _, source in service.fleet.data_sources()]
    with serve(tmp_path, naming(config, 0, 1)) as program:
        program.until_ready()
        asked = len(service.logged("ListDataSourceSyncJobs", ids[0]))
        reload(program, naming(config, 0, 2))
        scrape = program.scrape()
        assert scrape.value(POLLED, data_source_id=ids[0]) is not None
        assert scrape.value("qbusiness_poll_success", data_source_id=ids[0]) == 1
        assert scrape.value(POLLED, data_source_id=ids[1]) is None
        eventually(lambda: program.scrape().value("qbusiness_poll_success", data_source_id=ids[2]) == 1)
        assert len(service.logged("ListDataSourceSyncJobs", ids[0])) == asked
        assert program.scrape().value("qbusiness_exporter_data_sources") == 2
        assert program.get("/-/ready")[0] == 200
        eventually(lambda: lines(program, "data source added", f"data_source_id={ids[2]}"))
        eventually(lambda: lines(program, "data source removed", f"data_source_id={ids[1]}"))
        eventually(lambda: lines(program, "configuration applied", "changed=['test']"))


def test_a_hangup_reloads_too(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """As daemons do."""
    config = config_for(service, tmp_path / "state.db")
    with serve(tmp_path, naming(config, 0)) as program:
        program.until_ready()
        rewrite(program, yaml.safe_dump(config))
        program.process.send_signal(signal.SIGHUP)
        eventually(lambda: program.scrape().value("qbusiness_poll_success") == 3)
        assert program.stop() == 0


def test_a_bad_file_changes_nothing_and_is_visible(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """Each problem with its place, in the answer and the log; the metric says so until the file is right."""
    config = config_for(service, tmp_path / "state.db")
    with serve(tmp_path, config) as program:
        program.until_ready()
        before = program.scrape().value("qbusiness_exporter_config_last_reload_success_timestamp_seconds")
        rewrite(program, "targets: []\npoling: {}\n")
        status, text = post(program, "PUT")
        assert status == 500
        assert "config.yaml:2:1: poling: no such key; did you mean polling?" in text
        assert "keeping the previous one" in text
        eventually(lambda: lines(program, "configuration reload failed", "poling: no such key"))
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


def test_intervals_apply_to_what_waits(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """A source that was due in an hour is polled soon when the interval becomes short."""
    config = config_for(service, tmp_path / "state.db")
    with serve(tmp_path, naming(config, 0, interval="1h", idle_interval="1h")) as program:
        program.until_ready()
        asked = len(service.requests)
        time.sleep(0.5)
        assert len(service.requests) - asked <= 3
        reload(program, naming(config, 0))
        eventually(lambda: len(service.requests) > asked + 10)


def test_targets_come_and_go(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """With all of their series; another target goes on untouched."""
    other = Fleet(
        [SimulatedApplication("support", [SimulatedIndex("faq", [SimulatedDataSource("zendesk")])])], region="eu-west-1"
    )
    with SimulatedQBusiness(other) as second:
        config = config_for(service, tmp_path / "state.db")
        more = {"name": "emea", "region": "eu-west-1", "endpoint_url": second.url}
        both = {**config, "targets": [*config["targets"], more]}
        with serve(tmp_path, both) as program:
            program.until_ready()
            assert program.scrape().value("qbusiness_target_up") == 2
            assert program.scrape().value("qbusiness_index_documents", index="faq") is not None
            reload(program, config)
            scrape = program.scrape()
            assert scrape.value("qbusiness_poll_success") == 3
            assert scrape.value("qbusiness_index_documents", index="faq") is None
            for name in ("qbusiness_target_up", "qbusiness_exporter_polls_total", "qbusiness_exporter_data_sources"):
                assert scrape.value(name, target="emea") is None
                assert scrape.value(name, target="test") is not None
            asked = len(second.requests)
            reload(program, both)
            eventually(lambda: program.scrape().value("qbusiness_poll_success") == 4)
            assert len(second.requests) > asked
            eventually(lambda: lines(program, "configuration applied", "removed=['emea']"))
            eventually(lambda: lines(program, "configuration applied", "added=['emea']"))


def test_an_index_that_another_target_shows_stays(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """Where two targets see the same, one of them that goes takes nothing with it."""
    one = {"region": "us-east-1", "endpoint_url": service.url, "discovery": {"interval": "1h"}}
    config = config_for(service, tmp_path / "state.db")
    both = {**config, "targets": [{**one, "name": "one"}, {**one, "name": "two"}]}
    with serve(tmp_path, both) as program:
        program.until_ready()
        eventually(lambda: len(service.logged("ListDataSources")) == 2)
        eventually(lambda: program.scrape().value("qbusiness_exporter_discovery_success") == 2)
        reload(program, {**config, "targets": both["targets"][1:]})
        assert program.scrape().value("qbusiness_index_documents") is not None


def test_filters_change(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """What is no longer wanted goes at once; what is wanted again has its count."""
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
        described = len(service.logged("GetDataSource"))
        reload(program, filtered("h*"))
        scrape = program.scrape()
        assert scrape.value(COMPLETED, data_source="hr") is None
        assert scrape.value("qbusiness_data_source_info") == 2
        assert scrape.value("qbusiness_index_documents") is not None
        eventually(lambda: lines(program, "data source removed", "data_source=hr"))
        reload(program, filtered())
        eventually(lambda: program.scrape().value(COMPLETED, data_source="hr", status="SUCCEEDED") == 1)
        eventually(lambda: lines(program, "data source found", "data_source=hr"))
        assert len(service.logged("GetDataSource")) == described + 1


def test_what_needs_a_restart_says_so(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """The state file stays the one that is open."""
    config = config_for(service, tmp_path / "state.db")
    with serve(tmp_path, config) as program:
        program.until_ready()
        reload(program, {**config, "state": {"path": str(tmp_path / "other.db")}})
        eventually(lambda: lines(program, "state.path not applied"))
        assert not (tmp_path / "other.db").exists()


def counted(program: Program) -> dict[Series, float]:
    """Give the counters of jobs and documents as they are scraped."""
    kinds = ("_total", "_count", "_sum")
    samples = program.scrape().samples.items()
    return {key: value for key, value in samples if key[0].startswith(COUNTED) and key[0].endswith(kinds)}


@pytest.mark.trial
def test_every_job_counts_once_however_often_it_reloads(tmp_path: Path) -> None:
    """While jobs come and go and polls are under way: totals are the truth, and no counter was ever seen to fall."""
    clock = ScaledClock()
    sources = [SimulatedDataSource(f"source-{number}") for number in range(4)]
    with SimulatedQBusiness(fleet_of(*sources), clock) as service:
        config = config_for(service, tmp_path / "state.db")
        with serve(tmp_path, config) as program:
            program.until_ready()
            for source in sources:
                source.routine = busy_source(source.name, clock.now() + 1.5).routine
            before: dict[Series, float] = {}
            variants = itertools.cycle(VARIANTS)
            deadline = time.monotonic() + 8
            reloads = 0
            while time.monotonic() < deadline or reloads < 11:  # however slow this machine is
                reload(program, naming(config, *range(4), **next(variants)))
                reloads += 1
                counters = counted(program)
                assert before.keys() <= counters.keys()
                assert all(counters[key] >= value for key, value in before.items())
                before = counters
            assert finish_jobs(program, sources, clock) > 10
            scrape = program.scrape()
            assert all(totals_match(scrape, source, expected_totals(source, 0.0, clock.now())) for source in sources)
            eventually(lambda: len(lines(program, "configuration applied")) == reloads)
