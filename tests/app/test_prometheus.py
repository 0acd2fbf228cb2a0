"""A real Prometheus scrapes the running program, and its queries return the correct values."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from exporter.simulator.clock import ScaledClock
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import config_for, eventually, fleet_of, serve
from tests.support.oracle import expected_totals
from tests.support.prometheus_server import prometheus, prometheus_with, scrape_config


@pytest.mark.trial
def test_queries_return_the_totals_of_the_simulated_service(tmp_path: Path) -> None:
    """Counters rise from zero, and gauges, histograms and exemplars match the planned jobs."""
    clock = ScaledClock()
    sources = [SimulatedDataSource("hr"), SimulatedDataSource("faq")]
    with (
        SimulatedEndpoint(fleet_of(*sources), clock) as service,
        serve(tmp_path, config_for(service, tmp_path / "state.db")) as program,
    ):
        program.until_ready()
        with prometheus(tmp_path, scrape_config("{}:{}".format(*program.address))) as server:
            eventually(lambda: server.value("sum(qbusiness_sync_jobs_completed_total)") == 0)
            began = clock.now() + 1
            for source in sources:
                source.jobs += [
                    PlannedJob(make_id(source.name, n), began + n / 4, 1, 0.5, outcome, {"added": 100, "failed": 3})
                    for n, outcome in enumerate(["SUCCEEDED", "FAILED", "INCOMPLETE", "SUCCEEDED"])
                ]
            until = began + 3
            expected = [expected_totals(source, 0, until) for source in sources]
            total = sum(sum(totals.completed.values()) for totals in expected)
            eventually(lambda: server.value("sum(qbusiness_sync_jobs_completed_total)") == total)
            assert total == 8
            assert server.value('sum(qbusiness_sync_jobs_completed_total{status="SUCCEEDED"})') == 4
            assert server.value("sum(qbusiness_documents_added_total)") == 800
            assert server.value('sum(qbusiness_documents_failed_total{data_source="hr"})') == 12
            assert server.value("sum(qbusiness_sync_running)") == 0
            assert server.value("max(max_over_time(qbusiness_sync_running[5m])) >= 1") is not None
            assert server.value("count(qbusiness_poll_success == 1)") == 2
            assert server.value("sum(qbusiness_sync_job_duration_seconds_sum)") == pytest.approx(12, abs=0.1)
            # The counters start at 0, so `increase` includes the first job.
            assert server.value("sum(resets(qbusiness_sync_jobs_completed_total[5m]))") == 0
            assert server.value("sum(increase(qbusiness_sync_jobs_completed_total[5m])) > 4") is not None
            assert server.value("time() - max(qbusiness_last_successful_poll_timestamp_seconds) < 60") is not None
            found = server.get(
                "query_exemplars",
                query="qbusiness_sync_job_duration_seconds_bucket",
                start=time.time() - 300,
                end=time.time() + 300,
            )
            ids = {exemplar["labels"]["execution_id"] for series in found for exemplar in series["exemplars"]}
            assert ids <= {job.execution_id for source in sources for job in source.jobs}
            assert len(ids) >= 6


def test_the_documented_queries_find_never_synced_and_overdue_sources(tmp_path: Path) -> None:
    """A schedule has no effect before the first manual sync, so a source that was never synced is not overdue."""
    page = (Path(__file__).parents[2] / "docs" / "discovery.md").read_text()
    never, overdue = re.search(r"```promql\n(.*?)\n\n(.*?)```", page, re.DOTALL).groups()  # type: ignore[union-attr]  # the page has it
    now = time.time()
    hours = [(time.gmtime(now).tm_hour - back) % 24 for back in (2, 1)]  # the schedule fired one to two hours ago
    schedule = f"cron(0 {hours[1] if time.gmtime(now).tm_min >= 31 else hours[0]} * * ? *)"
    day = 86400.0
    sources = [
        SimulatedDataSource("never", schedule=schedule),
        SimulatedDataSource("overdue", schedule=schedule, jobs=[PlannedJob(make_id("o"), now - day, 60, 30)]),
        SimulatedDataSource("done", schedule=schedule, jobs=[PlannedJob(make_id("d"), now - 600, 60, 30)]),
        SimulatedDataSource("busy", schedule=schedule, jobs=[PlannedJob(make_id("b"), now - 600, 9000, 30)]),
        SimulatedDataSource("on-demand", jobs=[PlannedJob(make_id("x"), now - 9 * day, 60, 30)]),
    ]
    with (
        SimulatedEndpoint(fleet_of(*sources)) as service,
        serve(tmp_path, config_for(service, tmp_path / "state.db")) as program,
    ):
        program.until_ready()
        eventually(lambda: program.scrape().value("qbusiness_data_source_schedule_valid") == 4)
        exposition = program.get("/metrics")[1]
    with prometheus_with(tmp_path, exposition) as server:

        def found(query: str) -> list[str]:
            return [result["metric"]["data_source"] for result in server.get("query", query=query)["result"]]

        assert server.value("count(qbusiness_poll_success == 1)") == 5
        assert found(never) == ["never"]
        assert found(overdue) == ["overdue"]
