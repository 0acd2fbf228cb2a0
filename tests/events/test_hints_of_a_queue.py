"""The exporter as a process, with a queue of events that works, fails or is removed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.events.receiver import EventResult
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.builders import source_id
from tests.support.harness import config_for, eventually, fleet_of, serve
from tests.support.oneshot import run, settings
from tests.support.request_log import logged_requests
from tests.support.sync_events import sync_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.model import SourceId
    from tests.support.harness import Program
    from tests.support.sync_events import SqsServer

RELOAD = (200, "Configuration reloaded.\n")
UP, RECEIVED = "qbusiness_exporter_events_up", "qbusiness_exporter_events_received_total"
COMPLETED = "qbusiness_sync_jobs_completed_total"


@pytest.fixture
def service() -> Iterator[SimulatedEndpoint]:
    """Yield a service with two data sources without jobs."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"), SimulatedDataSource("it"))) as service:
        yield service


def config_with(service: SimulatedEndpoint, queue: str, **polling: object) -> dict[str, Any]:
    """Return a configuration whose only target reads a queue."""
    config = config_for(service, ":memory:", interval="100ms", **polling)
    config["targets"][0]["events"] = {"queue_url": queue}
    return config


def ids_of(service: SimulatedEndpoint) -> list[SourceId]:
    """Return the identities of all data sources."""
    return [source_id(app.id, index.id, source.id) for app, index, source in service.fleet.data_sources()]


def polls_of(service: SimulatedEndpoint, source: SourceId) -> int:
    """Return the number of requests for the jobs of a data source."""
    return len(logged_requests(service, "ListDataSourceSyncJobs", source.data_source_id))


def reload(program: Program, config: dict[str, Any]) -> None:
    """Reload with another configuration."""
    Path(program.arguments[2]).write_text(yaml.safe_dump(config))
    assert program.request("POST", "/-/reload") == RELOAD


def received(program: Program) -> list[float | None]:
    """Return the number of messages with each result."""
    scrape = program.scrape()
    return [scrape.value(RECEIVED, target="test", result=result) for result in EventResult]


def until_up(program: Program) -> None:
    """Wait until the queue was read."""
    eventually(lambda: program.scrape().value(UP, target="test") == 1)


def test_a_message_makes_its_source_active_until_the_sync_has_ended(
    service: SimulatedEndpoint, sqs: SqsServer, queue: str, tmp_path: Path
) -> None:
    """The sync is counted long before the idle interval has passed; the other data source is not polled."""
    hinted, other = ids_of(service)
    (_, _, simulated), _ = service.fleet.data_sources()
    with serve(tmp_path, config_with(service, queue, idle_interval="1h")) as program:
        program.until_ready()
        until_up(program)
        polls_before = polls_of(service, other)
        simulated.jobs.append(PlannedJob(make_id("manual"), time.time(), 1, 0))
        sqs.send(queue, sync_event(hinted), "noise", sync_event(source_id(*["f" * 36] * 3)))
        eventually(lambda: program.scrape().value(COMPLETED, data_source="hr", status="SUCCEEDED") == 1)
        assert polls_of(service, other) == polls_before
        eventually(lambda: received(program) == [1, 1, 1])
        assert program.scrape().value("qbusiness_exporter_target_up") == 1
        eventually(lambda: sqs.count(queue) == 0)
        assert program.stop() == 0


def test_a_queue_that_cannot_be_read_is_reported_until_it_can(
    service: SimulatedEndpoint, sqs: SqsServer, queue: str, tmp_path: Path
) -> None:
    """The log has one line for each change. The target stays up, and its polls succeed."""
    missing = f"{queue}-missing"
    with serve(tmp_path, config_with(service, missing, idle_interval="1h")) as program:
        program.until_ready()
        eventually(lambda: problems(program))
        (problem,) = problems(program)
        assert "The events queue of target test cannot be read" in problem
        assert "NonExistentQueue" in problem
        scrape = program.scrape()
        assert (scrape.value(UP), scrape.value(RECEIVED), scrape.value("qbusiness_exporter_target_up")) == (0, 0, 1)
        attempts = {"operation": "ReceiveMessage", "code": "QueueDoesNotExist"}
        eventually(lambda: (program.scrape().value("qbusiness_exporter_api_requests_total", **attempts) or 0) > 1)
        sqs.create(missing.rpartition("/")[2])
        until_up(program)
        program.until_logged("events queue works again")
        assert len(program.log_lines("events queue failing")) == 1
        eventually(lambda: not problems(program))


def problems(program: Program) -> list[str]:
    """Return the problems of the exporter on its status page."""
    document = json.loads(program.get("/api/v1/data-sources")[1])
    return [each["text"] for each in document["exporter"]["problems"]]


def test_a_reload_keeps_the_queue_and_removes_it(service: SimulatedEndpoint, queue: str, tmp_path: Path) -> None:
    """With another setting of the target, the queue is up without a gap. Without a queue, its series vanish."""
    config = config_with(service, queue)
    with serve(tmp_path, config) as program:
        program.until_ready()
        until_up(program)
        config["polling"]["timeout"] = "3s"
        reload(program, config)
        assert program.scrape().value(UP, target="test") == 1
        del config["targets"][0]["events"]
        reload(program, config)
        scrape = program.scrape()
        assert (scrape.value(UP), scrape.value(RECEIVED)) == (None, None)


def test_export_leaves_the_queue_alone(service: SimulatedEndpoint, sqs: SqsServer, queue: str, tmp_path: Path) -> None:
    """Another process may read it, and needs every message."""
    sqs.send(queue, sync_event(ids_of(service)[0]))
    done = run(service, tmp_path, "export", text=settings(service, {"events": {"queue_url": queue}}))
    assert (done.returncode, len(sqs.client.receive_message(QueueUrl=queue)["Messages"])) == (0, 1)


@pytest.mark.trial
def test_a_message_that_arrives_during_a_reload_is_used(
    service: SimulatedEndpoint, sqs: SqsServer, queue: str, tmp_path: Path
) -> None:
    """The receiver of the replaced target may get it, and leaves it to the successor."""
    config = config_with(service, queue, idle_interval="1h")
    hinted, _ = ids_of(service)
    with serve(tmp_path, config) as program:
        program.until_ready()
        until_up(program)
        for number in range(1, 4):
            config["polling"]["timeout"] = f"{2 + number}s"
            reload(program, config)
            sqs.send(queue, sync_event(hinted))
            eventually(lambda number=number: program.scrape().value(RECEIVED, result="used") == number)  # type: ignore[misc]
        eventually(lambda: sqs.count(queue) == 0)
