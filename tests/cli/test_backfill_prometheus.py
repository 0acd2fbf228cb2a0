"""Backfilled and scraped samples together in a real Prometheus."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain.units import HOUR
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, eventually, fleet_of, serve
from tests.support.oracle import expected_totals
from tests.support.prometheus_server import Prometheus, create_blocks, prometheus, scrape_config

if TYPE_CHECKING:
    from pathlib import Path

OUTCOMES = ("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED")
COMPLETED = "qbusiness_sync_jobs_completed_total"


def make_sources(now: float) -> list[SimulatedDataSource]:
    """Build data sources with jobs from the last three hours, and one job in progress each."""
    sources = []
    for name, interval in (("hr", 700.0), ("it", 1900.0)):
        ended = [
            PlannedJob(make_id(name, n), now - 3 * HOUR + n * interval, 200, 100, OUTCOMES[n % 4], {"added": 10 + n})
            for n in range(int((3 * HOUR - 400) / interval))
        ]
        running = PlannedJob(make_id(name, "running"), now - 300, HOUR, HOUR, "SUCCEEDED", {"added": 1000})
        sources.append(SimulatedDataSource(name, jobs=[*ended, running]))
    return sources


def end_and_add_jobs(source: SimulatedDataSource) -> None:
    """End the job in progress, and add a short job of each outcome."""
    now = time.time() + 1
    running = source.jobs[-1]
    source.change(running.execution_id, crawl_seconds=now - running.started - 0.1, index_seconds=0.1)
    source.jobs += [
        PlannedJob(make_id(source.name, "new", n), now + n / 2, 0.3, 0.1, outcome, {"added": 100})
        for n, outcome in enumerate(OUTCOMES)
    ]


@pytest.mark.trial
def test_backfilled_and_scraped_samples_count_each_job_once(tmp_path: Path) -> None:
    """Blocks of the backfill are loaded into the Prometheus that scrapes: either part is right, and so is the sum."""
    started = time.time()
    sources = make_sources(started)
    with (
        SimulatedEndpoint(fleet_of(*sources)) as service,
        serve(tmp_path, config_for(service, tmp_path / "state.db")) as program,
    ):
        program.until_ready()
        target = "{}:{}".format(*program.address)
        with prometheus(tmp_path, scrape_config(target)) as server:
            eventually(lambda: server.value(f"sum({COMPLETED})") == 0)
            for source in sources:
                end_and_add_jobs(source)
            eventually(lambda: server.value(f"sum({COMPLETED})") == 10)
        output = run_backfill(service, tmp_path, f"--label=instance={target}", "--label=job=qbusiness", "--step=1m")
        create_blocks(output, tmp_path / "data")
        with prometheus(tmp_path, scrape_config(target)) as server:
            check_backfilled(server, sources, started)
            check_across_boundary(server, sources, time.time())


def run_backfill(service: SimulatedEndpoint, tmp_path: Path, *flags: str) -> Path:
    """Run the command while the exporter uses the state file; return its output."""
    output = tmp_path / "backfill.om"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_STS": service.url,
    }
    words = [sys.executable, "-m", "exporter", "backfill", f"--config.file={tmp_path / 'config.yaml'}"]
    words += [f"--output={output}", *flags]
    done = subprocess.run(words, capture_output=True, text=True, env={**inherited, **own}, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "backfill ends less than three hours ago" in done.stderr
    return output


def value_at(server: Prometheus, query: str, at: float) -> dict[str, float]:
    """Return the value of a query at some time, by data source."""
    result = server.get("query", query=query, time=at)["result"]
    return {series["metric"]["data_source"]: float(series["value"][1]) for series in result}


def check_backfilled(server: Prometheus, sources: list[SimulatedDataSource], started: float) -> None:
    """Compare what Prometheus has for the time before the exporter started with the simulated jobs."""
    for hours in (2.9, 2.0, 1.234, 0.5, 0.2):
        at = (started - hours * HOUR) // 60 * 60
        for source in sources:
            check_counters(server, source, at)
            check_gauges(server, source, at)
    # A rule that computes the age of a success as of the time of the data also works on backfilled samples.
    age = "qbusiness_last_successful_poll_timestamp_seconds - qbusiness_last_successful_sync_timestamp_seconds"
    assert len(value_at(server, age, started - HOUR)) == len(sources)


def check_counters(server: Prometheus, source: SimulatedDataSource, at: float) -> None:
    """Compare the counters of one data source at some time with the jobs that had ended."""
    expected = expected_totals(source, min(job.started for job in source.jobs), at)
    for outcome, count in expected.completed.items():
        labels = f'{{data_source="{source.name}",status="{outcome}"}}'
        assert value_at(server, COMPLETED + labels, at) == {source.name: count}
        seconds = value_at(server, f"qbusiness_sync_job_duration_seconds_sum{labels}", at)
        assert seconds.get(source.name, 0) == pytest.approx(expected.seconds[outcome])
    added = sum(job.documents["added"] for job in source.jobs if job.ends <= at)
    documents = value_at(server, f'qbusiness_documents_added_total{{data_source="{source.name}"}}', at)
    assert documents == {source.name: added}


def check_gauges(server: Prometheus, source: SimulatedDataSource, at: float) -> None:
    """Compare the job in progress and the last job that ended at some time."""
    label = f'data_source="{source.name}"'
    running = sum(job.started <= at < job.ends for job in source.jobs)
    assert value_at(server, f"qbusiness_sync_running{{{label}}}", at) == {source.name: running}
    assert value_at(server, f'qbusiness_sync_status{{{label},status="SYNCING"}}', at) == {source.name: running}
    ended = [job for job in source.jobs if job.ends <= at]
    if ended:
        last = max(ended, key=lambda job: job.ends)
        status = f'qbusiness_last_completed_sync_status{{{label},status="{last.outcome}"}}'
        assert value_at(server, status, at) == {source.name: 1}
        end = value_at(server, f"qbusiness_last_completed_sync_end_timestamp_seconds{{{label}}}", at)
        assert end == {source.name: pytest.approx(last.ends, abs=0.001)}


def check_across_boundary(server: Prometheus, sources: list[SimulatedDataSource], now: float) -> None:
    """Check the increase of the counters over a range that has backfilled and scraped samples."""
    for source in sources:
        expected = expected_totals(source, 0, now)
        for outcome, count in expected.completed.items():
            series = f'{COMPLETED}{{data_source="{source.name}",status="{outcome}"}}'
            (only,) = server.get("query", query=f"{series}[4h]")["result"]
            assert total_increase(only["values"]) == count, (source.name, outcome)
            assert round(server.value(f"increase({series}[4h])") or 0) == count
            assert server.value(f"resets({series}[4h])") <= 1  # type: ignore[operator] # it has a value
        durations = f'qbusiness_sync_job_duration_seconds_count{{data_source="{source.name}"}}'
        counts = [total_increase(one["values"]) for one in server.get("query", query=f"{durations}[4h]")["result"]]
        assert sum(counts) <= sum(expected.completed.values())


def total_increase(values: list[list[Any]]) -> float:
    """Return by how much a counter has increased since its first sample, with resets."""
    return sum(after - before if after >= before else after for before, after in pairwise(float(v) for _, v in values))
