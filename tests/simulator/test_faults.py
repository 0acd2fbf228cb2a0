"""The faults of the simulated service, and how botocore handles each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, PaginationError, ReadTimeoutError

from exporter.domain.units import HOUR
from exporter.simulator.faults import FAULT_KINDS
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.builders import NOON
from tests.support.harness import TIMEOUT, eventually
from tests.support.manual_clock import ManualClock
from tests.support.request_log import logged_requests
from tests.support.simulated_service import client_of, ids_of, one_index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_qbusiness import QBusinessClient

COUNTS = ("documentsAdded", "documentsFailed", "documentsScanned")
JOBS = "ListDataSourceSyncJobs"
ERRORS = {
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
# botocore treats these as a response without members.
TREATED_AS_EMPTY = {"cut", "truncated_json", "empty_body", "empty_object", "html", "binary", "result_null"}
# botocore fails with exceptions that are not its own.
UNEXPECTED_EXCEPTION = {"not_object", "server_error_list", "result_object", "result_text", "deep", "binary"}


class OneSource:
    """A service with one data source of 25 jobs, and a client without retries."""

    def __init__(self, service: SimulatedEndpoint, source: SimulatedDataSource) -> None:
        self.service = service
        self.source = source
        self.ids = ids_of(service.fleet, source)
        self.client: QBusinessClient = client_of(service.url)

    def jobs(self) -> Any:
        """Return the first page."""
        return self.client.list_data_source_sync_jobs(**self.ids)

    def executions(self) -> list[str]:
        """Return the execution ids on all pages."""
        pages = self.client.get_paginator("list_data_source_sync_jobs").paginate(**self.ids)
        return [job["executionId"] for page in pages for job in page["history"]]


@pytest.fixture
def rig() -> Iterator[OneSource]:
    """Start the service."""
    counts = {"added": 1, "failed": 0, "scanned": 9}
    source = SimulatedDataSource(
        "a", jobs=[PlannedJob(make_id(n), NOON - n * HOUR, documents=counts) for n in range(1, 26)]
    )
    fleet, _ = one_index(source)
    with SimulatedEndpoint(fleet, ManualClock(NOON)) as service:
        yield OneSource(service, source)


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_arrives_with_its_code(rig: OneSource, kind: str) -> None:
    """Botocore raises ClientError, once for a fault that applies once."""
    rig.service.faults.add(kind, operation=JOBS, times=1)
    with pytest.raises(ClientError) as caught:
        rig.jobs()
    error = caught.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == ERRORS[kind]
    assert len(rig.jobs()["history"]) == 10
    assert [(logged.fault, logged.status) for logged in logged_requests(rig.service, JOBS)] == [
        (kind, ERRORS[kind][1]),
        (None, 200),
    ]


def test_modelled_errors_have_their_members(rig: OneSource) -> None:
    """The required members of the service model are present."""
    rig.service.faults.add("conflict", times=1)
    with pytest.raises(rig.client.exceptions.ConflictException) as caught:
        rig.jobs()
    response: Any = caught.value.response
    assert response["resourceType"] == "DATA_SOURCE"
    assert response["resourceId"]


@pytest.mark.parametrize("kind", sorted(TREATED_AS_EMPTY - UNEXPECTED_EXCEPTION))
def test_botocore_treats_some_invalid_responses_as_empty(rig: OneSource, kind: str) -> None:
    """There is no error: the list is missing, and so is every job."""
    rig.service.faults.add(kind)
    assert not rig.jobs().get("history")


@pytest.mark.parametrize("kind", sorted(UNEXPECTED_EXCEPTION))
def test_botocore_fails_on_or_empties_a_response_of_another_shape(rig: OneSource, kind: str) -> None:
    """It never returns jobs."""
    rig.service.faults.add(kind)
    try:
        response = rig.jobs()
    except Exception as error:  # noqa: BLE001 (botocore does not define which)
        assert not isinstance(error, BotoCoreError) or kind == "deep"  # noqa: PT017 (any error is fine)
    else:
        assert not response.get("history")


@pytest.mark.parametrize(
    ("kind", "error", "timeout"), [("reset", ConnectionClosedError, TIMEOUT), ("hang", ReadTimeoutError, 0.5)]
)
def test_a_failed_connection_raises_an_error(
    rig: OneSource, kind: str, error: type[BotoCoreError], timeout: float
) -> None:
    """The next request succeeds over a new connection."""
    rig.service.faults.add(kind, operation=JOBS, times=1)
    with pytest.raises(error):
        client_of(rig.service.url, read_timeout=timeout).list_data_source_sync_jobs(**rig.ids)
    assert len(rig.jobs()["history"]) == 10
    assert logged_requests(rig.service, JOBS)[0].fault == kind


def test_a_slow_response_is_correct(rig: OneSource) -> None:
    """It arrives after the fault's seconds."""
    rig.service.faults.add("slow", seconds=0.1)
    assert len(rig.jobs()["history"]) == 10
    first = rig.service.requests[0]
    assert rig.jobs()
    assert rig.service.requests[1].monotonic - first.monotonic >= 0.1


def test_a_huge_response_is_correct_and_padded(rig: OneSource) -> None:
    """It has the fault's size."""
    rig.service.faults.add("huge", megabytes=2.0)
    response = rig.jobs()
    assert len(response["history"]) == 10
    assert int(response["ResponseMetadata"]["HTTPHeaders"]["content-length"]) > 2_000_000


def test_botocore_detects_a_repeated_token(rig: OneSource) -> None:
    """Its paginator raises PaginationError."""
    rig.service.faults.add("same_token")
    with pytest.raises(PaginationError):
        rig.executions()


def test_botocore_does_not_detect_a_loop_of_two_tokens(rig: OneSource) -> None:
    """It returns the same jobs on every page, so the exporter must detect the loop."""
    rig.service.faults.add("looping_tokens")
    pages = iter(rig.client.get_paginator("list_data_source_sync_jobs").paginate(**rig.ids))
    found = [next(pages) for _ in range(8)]
    assert len({page["nextToken"] for page in found}) == 2
    assert len({page["nextToken"] for page in found[::2]}) == 1
    assert {page["history"][0]["executionId"] for page in found} == {make_id(1)}


@pytest.mark.parametrize("page", [None, 1, 2])
@pytest.mark.parametrize("times", [None, 1])
def test_an_empty_page_can_precede_each_page(rig: OneSource, page: int | None, times: int | None) -> None:
    """A client that continues gets every page, even if the fault has not ended."""
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
        ("huge_figures", "metrics", dict.fromkeys(COUNTS, "9" * 40)),
        (
            "fractional_figures",
            "metrics",
            dict.fromkeys(COUNTS, 12.5),
        ),
    ],
)
def test_botocore_passes_invalid_members_on(rig: OneSource, kind: str, member: str, value: object) -> None:
    """It validates neither enumerations nor patterns, and does not detect missing members."""
    rig.service.faults.add(kind)
    assert {json.dumps(job.get(member)) for job in rig.jobs()["history"]} == {json.dumps(value)}


@pytest.mark.parametrize("kind", ["milliseconds", "start_in_words", "start_object"])
def test_botocore_fails_on_invalid_times(rig: OneSource, kind: str) -> None:
    """It raises exceptions that are not its own."""
    rig.service.faults.add(kind)
    with pytest.raises(Exception, match=r"year|timestamp|date"):
        rig.jobs()


@pytest.mark.parametrize(
    "kind",
    [
        "item_text", "entry_text", "metrics_text", "metrics_list", "error_text", "status_number", "end_before_start",
        "repeated",
    ],
)  # fmt: skip
def test_a_fault_changes_the_bytes_of_the_response(rig: OneSource, kind: str) -> None:
    """The test does not depend on botocore's reaction."""
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
    faulty, correct = (json.loads(body) for body in seen)
    assert faulty["history"] != correct["history"]


def test_the_date_can_be_missing(rig: OneSource) -> None:
    """The rest of the response is correct."""
    rig.service.faults.add("no_date", times=1)
    without, response = rig.jobs(), rig.jobs()
    assert "date" not in without["ResponseMetadata"]["HTTPHeaders"]
    assert "date" in response["ResponseMetadata"]["HTTPHeaders"]
    assert len(without["history"]) == 10


@pytest.mark.parametrize("kind", sorted(FAULT_KINDS - {"endless"}))  # a client without a limit would never finish
def test_a_removed_fault_has_no_effect(rig: OneSource, kind: str) -> None:
    """The next requests succeed after any effect on the connection."""
    fault = rig.service.faults.add(kind, seconds=0.0)
    client = client_of(rig.service.url, read_timeout=0.5 if kind == "hang" else TIMEOUT)
    for send_request in (
        lambda: client.list_data_source_sync_jobs(**rig.ids),
        client.list_applications,
        lambda: client.get_data_source(**rig.ids),
    ):
        try:
            send_request()
        except Exception:  # noqa: BLE001, S112 (other tests check the error)
            continue
    eventually(lambda: len(rig.service.requests) == 3)
    assert {logged.fault for logged in rig.service.requests} == {kind}
    rig.service.faults.remove(fault)
    assert rig.executions() == [make_id(n) for n in range(1, 26)]
    assert rig.client.get_data_source(**rig.ids)["displayName"] == "a"


def test_a_fault_applies_only_when_all_its_conditions_hold(rig: OneSource) -> None:
    """The conditions are operation, application, data source, page and time."""
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


def test_an_unknown_fault_is_rejected(rig: OneSource) -> None:
    """The error lists the known faults."""
    with pytest.raises(ValueError, match=r"'trottled', known faults: .*throttled"):
        rig.service.faults.add("trottled")
    assert not rig.service.faults.active()
