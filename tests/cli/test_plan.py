"""`plan`, compared with the running exporter, and its advice."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.cli.plan import Size, plan
from exporter.config import Config, parse_target
from exporter.simulator.apis import api_of
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import eventually, serve
from tests.support.oneshot import named, run, settings
from tests.support.request_log import logged_requests

if TYPE_CHECKING:
    from pathlib import Path


def test_the_output_has_the_calculation(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """It has data sources, series and requests, and the share of the rate limit that is used."""
    done = run(service, tmp_path, "plan")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "target us-east-1: 14 data sources in 3 indexes of 2 applications"
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "idle polls 14 x 12 (every 5m) 168" in lines
    assert "syncing or due 14 x 10% of the time (assumed) x 48 more 67" in lines
    assert "discovery 4 runs x 10 (listings, and 3 x GetIndex) 40" in lines
    assert "total 280" in lines
    assert "rate limit: 5 per second = 18,000 per hour, 1.6% used" in lines
    assert "warning" not in done.stdout
    called = {logged.call.operation for logged in service.requests}
    assert called == {"ListApplications", "ListIndices", "GetIndex", "ListDataSources"}


def test_the_numbers_match_the_running_exporter(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The exporter sends the planned requests in a discovery run, and exposes about the planned series."""
    done = run(service, tmp_path, "plan", text=settings(service, {"discovery": {"interval": "300ms"}}))
    per_run = int(re.search(r"runs x (\d+)", done.stdout)[1])  # type: ignore[index] # the line is always printed
    series = int(re.search(r"about ([\d,]+)\n", done.stdout)[1].replace(",", ""))  # type: ignore[index] # the same
    service.requests.clear()
    for _, _, source in service.fleet.data_sources():
        ended = PlannedJob(make_id(source.name, 1), time.time() - 3600, 60, 30, documents={"scanned": 1})
        source.jobs = [ended, PlannedJob(make_id(source.name, 2), time.time() - 60, 6000, 30)]
        source.schedule = "cron(0 3 * * ? *)"
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    with serve(tmp_path, config) as program:
        program.until_ready()
        eventually(lambda: len(logged_requests(service, "ListApplications")) >= 4)
        exposed = len(program.scrape().samples)
    starts = [logged.monotonic for logged in logged_requests(service, "ListApplications")]
    listings = ("ListApplications", "ListIndices", "GetIndex", "ListDataSources")
    second_run = [
        logged
        for logged in service.requests
        if starts[1] <= logged.monotonic < starts[2] and logged.call.operation in listings
    ]
    assert len(second_run) == per_run
    assert exposed == pytest.approx(series, rel=0.25)


def test_tags_that_objectives_match_on_are_planned(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """Each data source needs one request, including one that the configuration names."""
    objectives = "objectives: [{match: {tags: {team: hr}}, max_duration: 1h}]\n"
    done = run(service, tmp_path, "plan", text=settings(service, named(service, "on", "doc-1")) + objectives)
    assert "tags 2 x 4, at most" in " ".join(done.stdout.split())
    assert "tags" not in run(service, tmp_path, "plan", text=settings(service, named(service, "on", "doc-1"))).stdout


@pytest.mark.parametrize("setting", ["requests_per_second", "idle_interval"])
def test_the_advised_values_need_no_warning(setting: str) -> None:
    """If the rate limit is too low, either of the two printed settings is sufficient."""
    size = Size(sources=14, containers=(2, 3), pages=4)
    target = parse_target({"region": "us-east-1"})
    polling: dict[str, Any] = {"interval": "1s", "idle_interval": "1s", "requests_per_second": 10}

    def output() -> str:
        return "\n".join([*plan("a", target, Config.model_validate({"polling": polling}), size), ""])

    assert "  warning: rate limit too low for these intervals. Set one of:\n" in output()
    advised = re.search(rf"    {setting}: (\S+)\n", output())
    assert advised
    polling[setting] = float(advised[1]) if setting == "requests_per_second" else advised[1]
    assert "warning" not in output()


def test_what_cannot_be_listed_is_reported(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The exit code is 1, because the numbers are too low."""
    service.faults.add("denied", application_id=service.fleet.applications[0].id)
    done = run(service, tmp_path, "plan")
    assert done.returncode == 1
    assert "  not counted: application intranet" in done.stdout


def test_the_requests_of_document_counts_are_planned(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The number of documents comes from the indexes, even without discovery."""
    text = f"{settings(service, named(service, 'on', 'doc-1'))}documents: {{interval: 6h}}\n"
    done = run(service, tmp_path, "plan", text=text)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    # Two indexes of 992 documents each are 19 pages, and the last page of each data source may be almost empty.
    assert "documents at most 21 pages x 0.167 (every 6h) 4" in lines
    assert logged_requests(service, "ListDocuments") == []


def test_document_counts_use_only_the_rest_of_the_rate_limit() -> None:
    """They never make the rate limit too low for polls. The advised interval causes no warning."""
    size = Size(sources=14, containers=(2, 3), pages=4, documents=1_000_000)
    target = parse_target({"region": "us-east-1"})

    def lines_for(interval: str) -> list[str]:
        settings = {"polling": {"requests_per_second": 1}, "documents": {"interval": interval}}
        return list(plan("a", target, Config.model_validate(settings), size))

    lines = lines_for("1h")
    assert any("= 3,600 per hour, 100.0% used" in line for line in lines)
    assert [line for line in lines if "warning" in line] == [
        "  warning: rate limit too low for documents.interval: documents are counted less often"
    ]
    advised = re.fullmatch(r"    documents.interval: (\S+)", lines[-1])
    assert advised
    assert "warning" not in "".join(lines_for(advised[1]))


def test_the_plan_lists_what_excluding_families_saves() -> None:
    """It lists families that no shipped rule needs, those with the most series first. Excluded ones do not count."""
    target, size = parse_target({"region": "us-east-1"}), Size(sources=100, containers=(2, 3), pages=4)

    def plan_with(*exclude: str) -> tuple[int, list[str]]:
        lines = list(plan("a", target, Config.model_validate({"metrics": {"exclude": exclude}}), size))
        total = re.search(r"about ([\d,]+)$", lines[1])
        assert total
        return int(total[1].replace(",", "")), [" ".join(line.split()) for line in lines]

    before, lines = plan_with()
    assert "qbusiness_sync_jobs_completed_total 4 per data source 400" in lines
    assert not any(line.startswith("qbusiness_sync_running ") for line in lines)
    after, lines = plan_with("qbusiness_sync_jobs_completed_total")
    assert before - after == 400
    assert not any(line.startswith("qbusiness_sync_jobs_completed_total") for line in lines)


def test_a_service_that_lists_no_documents_is_planned_without_counts() -> None:
    """The interval of the counts applies to the targets of other services."""
    target, size = parse_target({"service": "kendra", "region": "us-east-1"}), Size(sources=4, containers=(2,), pages=4)
    lines = list(plan("a", target, Config.model_validate({"documents": {"interval": "6h"}}), size))
    assert lines[0] == "target a: 4 data sources in 2 indexes"
    assert not any(line.lstrip().startswith("documents ") for line in lines)


def test_idle_sources_are_planned_at_the_interval_with_events() -> None:
    """The requests to the queue have no part in the rate limit."""
    url = "https://sqs.us-east-1.amazonaws.com/111122223333/sync-events"
    target = parse_target({"region": "us-east-1", "events": {"queue_url": url}})
    size = Size(sources=14, containers=(2, 3), pages=4)
    lines = [" ".join(line.split()) for line in plan("a", target, Config(), size)]
    assert "idle polls 14 x 2 (every 30m) 28" in lines
    assert "events: 180 requests per hour to SQS, two more for ten events; no part of the rate limit" in lines


def test_outcomes_of_jobs_are_planned_where_they_take_a_request() -> None:
    """A knowledge base is requested again only after an update, so the request is not in a usual discovery run."""
    target, size = parse_target({"service": "bedrock", "region": "us-east-1"}), Size(240, containers=(100,), pages=100)
    lines = [" ".join(line.split()) for line in plan("a", target, Config(), size)]
    assert "outcomes 240 x 1 sync a day (assumed) x GetIngestionJob 10" in lines
    assert "discovery 4 runs x 101 listings 404" in lines


def test_types_that_a_listing_lacks_are_requested_for_filters(tmp_path: Path) -> None:
    """The plan counts the data sources that the exporter would watch."""
    index = SimulatedIndex("main", [SimulatedDataSource("wiki", "MANAGED:CONFLUENCE"), SimulatedDataSource("files")])
    fleet = Fleet([SimulatedApplication("intranet", [index])])
    with SimulatedEndpoint(fleet, make_api=api_of("bedrock")) as endpoint:
        target = {"service": "bedrock", "discovery": {"include": [{"type": "CONF*"}]}}
        done = run(endpoint, tmp_path, "plan", text=settings(endpoint, target))
        endpoint.faults.add("denied", operation="GetDataSource")
        denied = run(endpoint, tmp_path, "plan")
    assert "target us-east-1/bedrock: 1 data source in 1 knowledge base" in done.stdout
    assert done.returncode == 0
    assert (denied.returncode, "types of data sources of knowledge base main" in denied.stdout) == (1, True)
