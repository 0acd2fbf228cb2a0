"""The simulated service's faults, and what botocore makes of each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, PaginationError, ReadTimeoutError

from exporter.simulator.faults import FAULT_KINDS
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from tests.support.builders import HOUR, NOON
from tests.support.manual_clock import ManualClock
from tests.support.simulated_service import client_of, ids_of, one_index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_qbusiness import QBusinessClient

FIGURES = ("documentsAdded", "documentsFailed", "documentsScanned")
JOBS = "ListDataSourceSyncJobs"
REFUSALS = {
    "throttled": ("ThrottlingException", 429),
    "throttled_bare": ("429", 429),
    "server_error": ("InternalServerException", 500),
    "server_error_html": ("503", 503),
    "denied": ("AccessDeniedException", 403),
    "expired_token": ("ExpiredTokenException", 403),
    "unrecognized_client": ("UnrecognizedClientException", 403),
    "not_found": ("ResourceNotFoundException", 404),
    "conflict": ("ConflictException", 409),
    "invalid": ("ValidationException", 400),
}
# botocore takes these for an answer without members.
SILENT = {"cut", "truncated_json", "empty_body", "empty_object", "html", "binary", "result_null"}
# What botocore raises is none of its own errors.
FOREIGN = {"not_object", "server_error_list", "result_object", "result_text", "deep", "binary"}


class Rig:
    """A service with one source of 25 jobs, and a client that tries once."""

    def __init__(self, service: SimulatedQBusiness, source: SimulatedDataSource) -> None:
        self.service = service
        self.source = source
        self.ids = ids_of(service.fleet, source)
        self.client: QBusinessClient = client_of(service.url, read_timeout=0.5)

    def jobs(self) -> Any:
        """Ask for the first page."""
        return self.client.list_data_source_sync_jobs(**self.ids)

    def executions(self) -> list[str]:
        """Read all pages."""
        pages = self.client.get_paginator("list_data_source_sync_jobs").paginate(**self.ids)
        return [job["executionId"] for page in pages for job in page["history"]]


@pytest.fixture
def rig() -> Iterator[Rig]:
    """Serve a source."""
    figures = {"added": 1, "failed": 0, "scanned": 9}
    source = SimulatedDataSource(
        "a", jobs=[PlannedJob(make_id(n), NOON - n * HOUR, documents=figures) for n in range(1, 26)]
    )
    fleet, _ = one_index(source)
    with SimulatedQBusiness(fleet, ManualClock(NOON)) as service:
        yield Rig(service, source)


@pytest.mark.parametrize("kind", REFUSALS)
def test_an_error_arrives_with_its_code(rig: Rig, kind: str) -> None:
    """As a ClientError; and only as often as the fault was meant to befall."""
    rig.service.faults.add(kind, operation=JOBS, times=1)
    with pytest.raises(ClientError) as caught:
        rig.jobs()
    error = caught.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == REFUSALS[kind]
    assert len(rig.jobs()["history"]) == 10
    assert [(logged.fault, logged.status) for logged in rig.service.logged(JOBS)] == [
        (kind, REFUSALS[kind][1]),
        (None, 200),
    ]


def test_modelled_errors_have_their_members(rig: Rig) -> None:
    """What AWS requires of them is there."""
    rig.service.faults.add("conflict", times=1)
    with pytest.raises(rig.client.exceptions.ConflictException) as caught:
        rig.jobs()
    said: Any = caught.value.response
    assert said["resourceType"] == "DATA_SOURCE"
    assert said["resourceId"]


@pytest.mark.parametrize("kind", sorted(SILENT - FOREIGN))
def test_an_answer_that_is_none_passes_for_an_empty_one(rig: Rig, kind: str) -> None:
    """Botocore says nothing: the result's key is just not there, nor any job."""
    rig.service.faults.add(kind)
    assert not rig.jobs().get("history")


@pytest.mark.parametrize("kind", sorted(FOREIGN))
def test_an_answer_of_another_shape_breaks_or_empties_the_reading(rig: Rig, kind: str) -> None:
    """It never passes for a page of jobs."""
    rig.service.faults.add(kind)
    try:
        answer = rig.jobs()
    except Exception as error:  # noqa: BLE001 (which one it is is botocore's accident)
        assert not isinstance(error, BotoCoreError) or kind == "deep"  # noqa: PT017 (any error will do)
    else:
        assert not answer.get("history")


@pytest.mark.parametrize(("kind", "error"), [("reset", ConnectionClosedError), ("hang", ReadTimeoutError)])
def test_a_connection_that_fails_is_an_error(rig: Rig, kind: str, error: type[BotoCoreError]) -> None:
    """And the next request, over a new one, is answered."""
    rig.service.faults.add(kind, operation=JOBS, times=1)
    with pytest.raises(error):
        rig.jobs()
    assert len(rig.jobs()["history"]) == 10
    assert rig.service.logged(JOBS)[0].fault == kind


def test_a_slow_answer_is_a_right_one(rig: Rig) -> None:
    """After the seconds that it was given."""
    rig.service.faults.add("slow", seconds=0.1)
    assert len(rig.jobs()["history"]) == 10
    first = rig.service.requests[0]
    assert rig.jobs()
    assert rig.service.requests[1].monotonic - first.monotonic >= 0.1


def test_a_huge_answer_is_a_right_one_with_much_beside_it(rig: Rig) -> None:
    """As large as was asked for."""
    rig.service.faults.add("huge", megabytes=2.0)
    answer = rig.jobs()
    assert len(answer["history"]) == 10
    assert int(answer["ResponseMetadata"]["HTTPHeaders"]["content-length"]) > 2_000_000


def test_a_token_that_repeats_never_ends(rig: Rig) -> None:
    """Botocore's paginator notices."""
    rig.service.faults.add("same_token")
    with pytest.raises(PaginationError):
        rig.executions()


def test_tokens_in_turn_are_not_noticed_by_botocore(rig: Rig) -> None:
    """Page after page, the same jobs: whoever reads has to look for it."""
    rig.service.faults.add("looping_tokens")
    pages = iter(rig.client.get_paginator("list_data_source_sync_jobs").paginate(**rig.ids))
    found = [next(pages) for _ in range(8)]
    assert len({page["nextToken"] for page in found}) == 2
    assert len({page["nextToken"] for page in found[::2]}) == 1
    assert {page["history"][0]["executionId"] for page in found} == {make_id(1)}


@pytest.mark.parametrize("page", [None, 1, 2])
@pytest.mark.parametrize("times", [None, 1])
def test_an_empty_page_may_come_before_the_real_one(rig: Rig, page: int | None, times: int | None) -> None:
    """Nothing is lost to who goes on: every page comes, whether the fault is over by then or not."""
    rig.service.faults.add("empty_page", page=page, times=times)
    assert rig.executions() == [make_id(n) for n in range(1, 26)]
    assert any(logged.fault for logged in rig.service.requests)


@pytest.mark.parametrize(
    ("kind", "member", "value"),
    [
        ("unknown_status", "status", "PAUSED"),
        ("no_execution_id", "executionId", None),
        ("no_start", "startTime", None),
        ("no_metrics", "metrics", None),
        ("huge_figures", "metrics", dict.fromkeys(FIGURES, "9" * 40)),
        (
            "fractional_figures",
            "metrics",
            dict.fromkeys(FIGURES, 12.5),
        ),
    ],
)
def test_odd_members_pass_through_botocore(rig: Rig, kind: str, member: str, value: object) -> None:
    """It checks neither enumerations, nor patterns, nor what is missing."""
    rig.service.faults.add(kind)
    assert {json.dumps(job.get(member)) for job in rig.jobs()["history"]} == {json.dumps(value)}


@pytest.mark.parametrize("kind", ["milliseconds", "start_in_words", "start_object"])
def test_odd_times_break_botocore(rig: Rig, kind: str) -> None:
    """With errors that are none of its own."""
    rig.service.faults.add(kind)
    with pytest.raises(Exception, match=r"year|timestamp|date"):
        rig.jobs()


@pytest.mark.parametrize(
    "kind",
    ["item_text", "metrics_text", "metrics_list", "error_text", "status_number", "end_before_start", "repeated"],
)
def test_wrong_types_are_on_the_wire(rig: Rig, kind: str) -> None:
    """Whatever botocore makes of them."""
    assert kind in FAULT_KINDS
    rig.service.faults.add(kind, times=1)
    seen: list[bytes] = []
    rig.client.meta.events.register(
        "before-parse.qbusiness.*", lambda response_dict, **_: seen.append(response_dict["body"])
    )
    for _ in range(2):
        try:
            rig.jobs()
        except (TypeError, AttributeError, ValueError):
            continue
    faulty, right = (json.loads(body) for body in seen)
    assert faulty["history"] != right["history"]


def test_a_date_may_be_missing(rig: Rig) -> None:
    """From the answer that is otherwise right."""
    rig.service.faults.add("no_date", times=1)
    without, answer = rig.jobs(), rig.jobs()
    assert "date" not in without["ResponseMetadata"]["HTTPHeaders"]
    assert "date" in answer["ResponseMetadata"]["HTTPHeaders"]
    assert len(without["history"]) == 10


@pytest.mark.parametrize("kind", sorted(FAULT_KINDS - {"endless"}))  # whoever sets no bound would wait for its end
def test_no_fault_outlives_its_removal(rig: Rig, kind: str) -> None:
    """Whatever it did to the connection, and whatever operation it befell."""
    fault = rig.service.faults.add(kind, seconds=0.0)
    for ask in (rig.jobs, rig.client.list_applications, lambda: rig.client.get_data_source(**rig.ids)):
        try:
            ask()
        except Exception:  # noqa: BLE001, S112 (what it is, other tests say)
            continue
    assert {logged.fault for logged in rig.service.requests} == {kind}
    rig.service.faults.remove(fault)
    assert rig.executions() == [make_id(n) for n in range(1, 26)]
    assert rig.client.get_data_source(**rig.ids)["displayName"] == "a"


def test_a_fault_befalls_what_it_is_meant_for(rig: Rig) -> None:
    """By operation, application, data source, page and time; unless all fit, nothing happens."""
    application, _, source = next(rig.service.fleet.data_sources())
    clock = rig.service.clock
    assert isinstance(clock, ManualClock)
    for other in ({"operation": "GetIndex"}, {"data_source_id": "x"}, {"application_id": "x"}, {"until": NOON}):
        rig.service.faults.add("denied", **other)
    assert len(rig.executions()) == 25
    rig.service.faults.clear()
    rig.service.faults.add("denied", application_id=application.id, data_source_id=source.id, page=2, until=NOON + 60)
    assert len(rig.jobs()["history"]) == 10
    with pytest.raises(rig.client.exceptions.AccessDeniedException):
        rig.executions()
    assert rig.client.list_applications()["applications"]
    clock.advance(60)
    assert len(rig.executions()) == 25


def test_a_fault_that_nobody_knows_is_refused(rig: Rig) -> None:
    """With the names of those that are known."""
    with pytest.raises(ValueError, match=r"'trottled', known faults: .*throttled"):
        rig.service.faults.add("trottled")
    assert not rig.service.faults.active()
