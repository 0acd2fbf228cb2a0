"""The running program with one target of each service: one process, and each service in its own words."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.session import Session
from jsonschema import Draft202012Validator

from exporter.providers.registry import DEFAULT_SERVICE, SERVICES
from exporter.simulator.bedrock_jobs import wire_id
from exporter.simulator.fleet import make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import Program, eventually
from tests.support.manual_clock import ManualClock
from tests.support.provider_rig import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.service import Service
    from tests.support.service_case import ServiceCase

CONFIG = f"""
targets: {json.dumps([{"service": name, "region": "us-east-1"} for name in SERVICES])}
polling: {{interval: 100ms, idle_interval: 100ms, requests_per_second: 500}}
objectives:
  - {{match: {{service: kendra, index: "main*"}}, max_duration: 6h}}
"""
TARGETS = {name: "us-east-1" if name == DEFAULT_SERVICE.name else f"us-east-1/{name}" for name in SERVICES}
SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[2] / "docs/api.schema.json").read_text()))


@pytest.fixture
def clock() -> ManualClock:
    """Return the clock of all services."""
    return ManualClock(time.time())


def simulated(case: ServiceCase, clock: ManualClock) -> SimulatedEndpoint:
    """Return the endpoint of a service whose one data source has three jobs that have ended."""
    began = clock.now() - 7200
    jobs = [PlannedJob(make_id(case, n), began + n * 600, 30, 30, documents={"added": 1}) for n in range(3)]
    source = case.source("hr", *jobs)
    source.created = began
    return SimulatedEndpoint(case.fleet(source), clock, case.make_api)


@pytest.fixture
def services(clock: ManualClock) -> Iterator[dict[str, SimulatedEndpoint]]:
    """Start an endpoint of each service."""
    with ExitStack() as stack:
        yield {str(case): stack.enter_context(simulated(case, clock)) for case in CASES}


def variable_of(service: Service) -> str:
    """Return the variable for the endpoint of a service, which has the name that botocore has for it."""
    name = Session().get_service_model(service.client).service_id.hyphenize()
    return f"AWS_ENDPOINT_URL_{name.replace('-', '_').upper()}"


def run(services: dict[str, SimulatedEndpoint], folder: Path) -> Program:
    """Return the exporter with the endpoints in its environment, as an operator would set them for proxies."""
    (folder / "config.yaml").write_text(CONFIG)
    env = {variable_of(SERVICES[name]): each.url for name, each in services.items()}
    return Program(["serve"], {**env, "AWS_ENDPOINT_URL_STS": services["qbusiness"].url}, folder=folder)


def completed(program: Program) -> list[float | None]:
    """Return the number of succeeded jobs that each service has counted."""
    scrape = program.scrape()
    return [scrape.value(f"{name}_sync_jobs_completed_total", status="SUCCEEDED") for name in SERVICES]


def discovered(program: Program) -> list[float | None]:
    """Return the number of data sources that each target has."""
    scrape = program.scrape()
    return [scrape.value("qbusiness_exporter_data_sources", target=target) for target in TARGETS.values()]


def test_one_process_counts_the_jobs_of_each_service_once(
    services: dict[str, SimulatedEndpoint], clock: ManualClock, tmp_path: Path
) -> None:
    """Jobs that end while the exporter runs are counted under the prefix of their service, even after a restart."""
    with run(services, tmp_path) as program:
        program.until_ready()
        for name, endpoint in services.items():
            for _, _, source in endpoint.fleet.data_sources():
                source.jobs = [*source.jobs, PlannedJob(make_id(name, "new"), clock.now() + 1, 0.1, 0.1)]
        clock.advance(3)
        eventually(lambda: completed(program) == [1] * len(SERVICES))
        assert program.stop() == 0
    with run(services, tmp_path) as program:
        program.until_ready()
        assert completed(program) == [1] * len(SERVICES)
        assert not program.log_lines("data source removed")
        (tmp_path / "config.yaml").write_text(CONFIG.replace("interval: 100ms", "interval: 200ms"))
        assert program.request("POST", "/-/reload")[0] == 200
        eventually(lambda: discovered(program) == [1] * len(SERVICES))
        assert completed(program) == [1] * len(SERVICES)
        assert not program.log_lines("data source removed")
        scrape = program.scrape()
    assert [scrape.value(f"{name}_sync_jobs", status="SUCCEEDED") for name in services] == [4] * len(SERVICES)


def test_each_service_is_exposed_in_its_own_words(services: dict[str, SimulatedEndpoint], tmp_path: Path) -> None:
    """Labels, objectives and the default names of targets follow from the service."""
    (_, index, source) = next(services["qbusiness"].fleet.data_sources())
    with run(services, tmp_path) as program:
        eventually(lambda: program.scrape().value("kendra_index_info", index="main", index_type="ENTERPRISE_EDITION"))
        program.until_ready()
        scrape = program.scrape()
        document = json.loads(program.get("/api/v1/data-sources")[1])
        page = program.get("/?service=kendra&index=main")[1]
        details = program.get(f"/?data_source_id={wire_id(source.id)}")[1]
    ids = {"index": "main", "index_id": index.id, "data_source_id": source.id}
    assert scrape.value("qbusiness_data_source_info", application="intranet", **ids) == 1
    assert scrape.value("kendra_data_source_info", data_source_type="CONFLUENCEV2", **ids) == 1
    assert scrape.value("kendra_data_source_objective_max_duration_seconds") == 21600
    assert scrape.value("qbusiness_data_source_objective_max_duration_seconds") == 86400
    for name, target in TARGETS.items():
        assert scrape.value("qbusiness_exporter_target_info", service=name, target=target) == 1
        assert scrape.value("qbusiness_exporter_target_up", target=target) == 1
    SCHEMA.validate(document)
    found = {each["service"]: each for each in document["data_sources"]}
    assert (found["qbusiness"]["application"], found["kendra"]["index"]) == ("intranet", "main")
    assert "application" not in found["kendra"]
    assert [each["service"] for each in document["exporter"]["targets"]] == [*SERVICES]
    assert page.count('<li class="source') == 1
    assert "Amazon Kendra · main" in page
    assert "after a first manual sync" not in page
    assert "Metadata scanned" in details
    assert "Metadata scanned" not in page
