"""Backfilled and scraped samples together in a real Prometheus."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from exporter.domain.units import HOUR
from exporter.simulator.apis import traits_of
from exporter.simulator.fleet import make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, eventually, serve
from tests.support.oracle import expected_totals
from tests.support.prometheus_server import create_blocks, prometheus, scrape_config
from tests.support.provider_rig import CASES

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator.fleet import SimulatedDataSource
    from tests.support.prometheus_server import Prometheus
    from tests.support.service_case import ServiceCase

OUTCOMES = ("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED")


def make_sources(case: ServiceCase, now: float) -> list[SimulatedDataSource]:
    """Build data sources with jobs from the last three hours, and one job in progress each."""
    reported, sources = traits_of(str(case)).reported, []
    for name, interval in (("hr", 700.0), ("it", 1900.0)):
        ended = [
            PlannedJob(make_id(name, n), now - 3 * HOUR + n * interval, 200, 100, OUTCOMES[n % 4], {"added": 10 + n})
            for n in range(int((3 * HOUR - 400) / interval))
        ]
        running = PlannedJob(make_id(name, "running"), now - 300, HOUR, HOUR, "SUCCEEDED", {"added": 1000})
        sources.append(case.source(name, *map(reported, [*ended, running])))
    return sources


def end_and_add_jobs(case: ServiceCase, source: SimulatedDataSource) -> None:
    """End the job in progress, and add a short job of each outcome."""
    now = time.time() + 1
    running = source.jobs[-1]
    source.change(running.execution_id, crawl_seconds=now - running.started - 0.1, index_seconds=0.1)
    added = (
        PlannedJob(make_id(source.name, "new", n), now + n / 2, 0.3, 0.1, outcome, {"added": 100})
        for n, outcome in enumerate(OUTCOMES)
    )
    source.jobs += map(traits_of(str(case)).reported, added)


@pytest.mark.trial
@pytest.mark.parametrize("case", CASES, ids=str)
def test_backfilled_and_scraped_samples_count_each_job_once(case: ServiceCase, tmp_path: Path) -> None:
    """Blocks of the backfill are loaded into the scraping Prometheus. Both parts and their sum are correct."""
    started = time.time()
    sources = make_sources(case, started)
    with SimulatedEndpoint(case.fleet(*sources), make_api=case.make_api) as service:
        target = {"name": "test", "service": str(case), "region": "us-east-1", "endpoint_url": service.url}
        with serve(tmp_path, {**config_for(service, tmp_path / "state.db"), "targets": [target]}) as program:
            program.until_ready()
            address = "{}:{}".format(*program.address)
            with prometheus(tmp_path, scrape_config(address)) as server:
                completed = f"sum({case}_sync_jobs_completed_total)"
                eventually(lambda: server.value(completed) == 0)
                for source in sources:
                    end_and_add_jobs(case, source)
                eventually(lambda: server.value(completed) == 10)
            output = run_backfill(
                service, tmp_path, f"--label=instance={address}", "--label=job=qbusiness", "--step=1m"
            )
            create_blocks(output, tmp_path / "data")
            with prometheus(tmp_path, scrape_config(address)) as server:
                check = Check(server, str(case))
                check.backfilled(sources, started)
                for source in sources:
                    check.across_boundary(source, time.time())


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


@dataclass(frozen=True)
class Check:
    """Compares what Prometheus has of a service with the simulated jobs."""

    server: Prometheus
    prefix: str

    def value_at(self, query: str, at: float) -> dict[str, float]:
        """Return the value of a query at some time, by data source. Names are without the prefix of the service."""
        result = self.server.get("query", query=f"{self.prefix}_{query}", time=at)["result"]
        return {series["metric"]["data_source"]: float(series["value"][1]) for series in result}

    def backfilled(self, sources: list[SimulatedDataSource], started: float) -> None:
        """Compare the time before the exporter started."""
        for hours in (2.9, 2.0, 1.234, 0.5, 0.2):
            at = (started - hours * HOUR) // 60 * 60
            for source in sources:
                self._counters(source, at)
                self._gauges(source, at)
        # A rule that computes the age of a success as of the time of the data also works on backfilled samples.
        success = f"{self.prefix}_last_successful_sync_timestamp_seconds"
        age = f"last_successful_poll_timestamp_seconds - {success}"
        assert len(self.value_at(age, started - HOUR)) == len(sources)

    def _counters(self, source: SimulatedDataSource, at: float) -> None:
        """Compare the counters of one data source at some time with the jobs that had ended."""
        expected = expected_totals(source, min(job.started for job in source.jobs), at)
        for outcome, count in expected.completed.items():
            labels = f'{{data_source="{source.name}",status="{outcome}"}}'
            assert self.value_at(f"sync_jobs_completed_total{labels}", at) == {source.name: count}
            seconds = self.value_at(f"sync_job_duration_seconds_sum{labels}", at)
            assert seconds.get(source.name, 0) == pytest.approx(expected.seconds[outcome])
        added = sum(job.documents["added"] for job in source.jobs if job.ends <= at)
        documents = self.value_at(f'documents_added_total{{data_source="{source.name}"}}', at)
        assert documents == {source.name: added}

    def _gauges(self, source: SimulatedDataSource, at: float) -> None:
        """Compare the job in progress and the last job that ended at some time."""
        label = f'data_source="{source.name}"'
        running = sum(job.started <= at < job.ends for job in source.jobs)
        assert self.value_at(f"sync_running{{{label}}}", at) == {source.name: running}
        assert self.value_at(f'sync_status{{{label},status="SYNCING"}}', at) == {source.name: running}
        ended = [job for job in source.jobs if job.ends <= at]
        if ended:
            last = max(ended, key=lambda job: job.ends)
            status = f'last_completed_sync_status{{{label},status="{last.outcome}"}}'
            assert self.value_at(status, at) == {source.name: 1}
            end = self.value_at(f"last_completed_sync_end_timestamp_seconds{{{label}}}", at)
            assert end == {source.name: pytest.approx(last.ends, abs=0.001)}

    def across_boundary(self, source: SimulatedDataSource, now: float) -> None:
        """Check the increase of the counters over a range that has backfilled and scraped samples."""
        expected = expected_totals(source, 0, now)
        for outcome, count in expected.completed.items():
            series = f'{self.prefix}_sync_jobs_completed_total{{data_source="{source.name}",status="{outcome}"}}'
            (only,) = self.server.get("query", query=f"{series}[4h]")["result"]
            assert total_increase(only["values"]) == count, (source.name, outcome)
            assert round(self.server.value(f"increase({series}[4h])") or 0) == count
            assert self.server.value(f"resets({series}[4h])") <= 1  # type: ignore[operator] # it has a value
        durations = f'{self.prefix}_sync_job_duration_seconds_count{{data_source="{source.name}"}}'
        counts = [total_increase(one["values"]) for one in self.server.get("query", query=f"{durations}[4h]")["result"]]
        assert sum(counts) <= sum(expected.completed.values())


def total_increase(values: list[list[Any]]) -> float:
    """Return the increase of a counter since its first sample, with resets."""
    return sum(after - before if after >= before else after for before, after in pairwise(float(v) for _, v in values))
