"""The past and what is scraped, in one real Prometheus."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from tests.support.harness import config_for, eventually, fleet_of, serve
from tests.support.oracle import expected_totals
from tests.support.prometheus_server import Prometheus, prometheus, scraping

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600.0
OUTCOMES = ("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED")
COMPLETED = "qbusiness_sync_jobs_completed_total"


def sources_of(now: float) -> list[SimulatedDataSource]:
    """Build data sources with three hours behind them and a job in progress."""
    sources = []
    for name, every in (("hr", 700.0), ("it", 1900.0)):
        past = [
            PlannedJob(make_id(name, n), now - 3 * HOUR + n * every, 200, 100, OUTCOMES[n % 4], {"added": 10 + n})
            for n in range(int((3 * HOUR - 400) / every))
        ]
        over_the_seam = PlannedJob(make_id(name, "over"), now - 300, HOUR, HOUR, "SUCCEEDED", {"added": 1000})
        sources.append(SimulatedDataSource(name, jobs=[*past, over_the_seam]))
    return sources


def go_on(source: SimulatedDataSource) -> None:
    """End the job in progress, and let a job of each outcome begin and end."""
    now = time.time() + 1
    over = source.jobs[-1]
    source.change(over.execution_id, crawl_seconds=now - over.started - 0.1, index_seconds=0.1)
    source.jobs += [
        PlannedJob(make_id(source.name, "new", n), now + n / 2, 0.3, 0.1, outcome, {"added": 100})
        for n, outcome in enumerate(OUTCOMES)
    ]


def at(server: Prometheus, query: str, moment: float) -> dict[str, float]:
    """Ask what was so at a moment, by data source."""
    result = server.ask("query", query=query, time=moment)["result"]
    return {series["metric"]["data_source"]: float(series["value"][1]) for series in result}


def risen(values: list[list[Any]]) -> float:
    """Give what a counter rose by in all, resets reckoned with, from its first sample on."""
    return sum(after - before if after >= before else after for before, after in pairwise(float(v) for _, v in values))


def test_the_past_and_what_is_scraped_make_one(tmp_path: Path) -> None:
    """Real blocks of the past beside real scrapes: either has the truth, and both together have no job twice."""
    began = time.time()
    sources = sources_of(began)
    with SimulatedQBusiness(fleet_of(*sources)) as service:
        config = config_for(service, tmp_path / "state.db")
        with serve(tmp_path, config) as program:
            program.until_ready()
            target = "{}:{}".format(*program.address)
            with prometheus(tmp_path, scraping(target)) as server:
                eventually(lambda: server.value(f"sum({COMPLETED})") == 0)
                for source in sources:
                    go_on(source)
                eventually(lambda: server.value(f"sum({COMPLETED})") == 10)
            past = write_past(service, tmp_path, f"--label=instance={target}", "--label=job=qbusiness", "--step=1m")
            # What Prometheus has of its own is in its log of writes; what is older comes beside it, as blocks.
            command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(past), str(tmp_path / "data")]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            assert made.returncode == 0, made.stderr
            with prometheus(tmp_path, scraping(target)) as server:
                check_past(server, sources, began)
                check_seam(server, sources, time.time())


def write_past(service: SimulatedQBusiness, tmp_path: Path, *flags: str) -> Path:
    """Run the command beside the exporter that has the state file."""
    output = tmp_path / "past.om"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    words = [sys.executable, "-m", "exporter", "backfill", f"--config.file={tmp_path / 'config.yaml'}"]
    env = {**clean, **own, "AWS_ENDPOINT_URL_STS": service.url}
    done = subprocess.run(
        [*words, f"--output={output}", *flags], capture_output=True, text=True, env=env, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "ends less than three hours ago" in done.stderr
    return output


def check_past(server: Prometheus, sources: list[SimulatedDataSource], began: float) -> None:
    """Ask about moments of the past."""
    first = {source.name: min(job.started for job in source.jobs) for source in sources}
    for back in (2.9, 2.0, 1.234, 0.5, 0.2):
        moment = (began - back * HOUR) // 60 * 60
        for source in sources:
            told = expected_totals(source, first[source.name], moment)
            name = f'{{data_source="{source.name}"}}'
            for outcome, count in told.completed.items():
                matcher = f'{{data_source="{source.name}",status="{outcome}"}}'
                assert at(server, COMPLETED + matcher, moment) == {source.name: count}
                seconds = at(server, f"qbusiness_sync_job_duration_seconds_sum{matcher}", moment)
                assert seconds.get(source.name, 0) == pytest.approx(told.seconds[outcome])
            ended = [job for job in source.jobs if job.ends <= moment]
            documents = sum(job.documents["added"] for job in ended)
            assert at(server, f"qbusiness_documents_added_total{name}", moment) == {source.name: documents}
            running = [job for job in source.jobs if job.started <= moment < job.ends]
            assert at(server, f"qbusiness_sync_running{name}", moment) == {source.name: len(running)}
            status = at(server, f'qbusiness_sync_status{{data_source="{source.name}",status="SYNCING"}}', moment)
            assert status == {source.name: len(running)}
            if ended:
                last = max(ended, key=lambda job: job.ends)
                query = f'qbusiness_last_completed_sync_status{{data_source="{source.name}",status="{last.outcome}"}}'
                assert at(server, query, moment) == {source.name: 1}
                end = at(server, f"qbusiness_last_completed_sync_end_timestamp_seconds{name}", moment)
                assert end == {source.name: pytest.approx(last.ends, abs=0.001)}
    # A rule that looks at how old a success is, by what it was as of, sees the past as well.
    age = "qbusiness_last_successful_poll_timestamp_seconds - qbusiness_last_successful_sync_timestamp_seconds"
    assert len(at(server, age, began - HOUR)) == len(sources)


def check_seam(server: Prometheus, sources: list[SimulatedDataSource], now: float) -> None:
    """Ask about a time that has both."""
    for source in sources:
        told = expected_totals(source, 0, now)
        for outcome, count in told.completed.items():
            series = f'{COMPLETED}{{data_source="{source.name}",status="{outcome}"}}'
            (only,) = server.ask("query", query=f"{series}[4h]")["result"]
            assert risen(only["values"]) == count, (source.name, outcome)
            assert round(server.value(f"increase({series}[4h])") or 0) == count
            assert server.value(f"resets({series}[4h])") <= 1  # type: ignore[operator] # there is one
        seconds = f'qbusiness_sync_job_duration_seconds_count{{data_source="{source.name}"}}'
        counts = [risen(series["values"]) for series in server.ask("query", query=f"{seconds}[4h]")["result"]]
        assert sum(counts) <= sum(told.completed.values())
