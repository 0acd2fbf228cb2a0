"""The simulated service through a real boto3 client."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from exporter.domain.units import HOUR
from exporter.simulator.clock import ScaledClock
from exporter.simulator.document import SimulatedDocument
from exporter.simulator.fleet import Routine, SimulatedDataSource, make_id
from exporter.simulator.job import STATUSES, PlannedJob
from exporter.simulator.qbusiness import SECRET_MARKER
from exporter.simulator.qbusiness_demo import demo_fleet
from exporter.simulator.server import SimulatedEndpoint
from exporter.simulator.service import SimulatedService
from tests.support.builders import NOON
from tests.support.harness import TIMEOUT, eventually
from tests.support.manual_clock import ManualClock
from tests.support.random_fleet import random_fleet
from tests.support.request_log import logged_requests
from tests.support.simulated_service import SIGNATURE, body_of, client_of, get, ids_of, jobs_path, one_index, session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import Shape

    from exporter.simulator.fleet import Fleet

HOURLY = 25


def hourly(name: str = "hourly") -> SimulatedDataSource:
    """Return a data source with a job of 10 minutes in each hour, the last of them an hour ago."""
    jobs = [
        PlannedJob(make_id(name, n), NOON - n * HOUR, 300, 300, documents={"added": n}) for n in range(1, 1 + HOURLY)
    ]
    return SimulatedDataSource(name, jobs=jobs)


def at(moment: float) -> datetime:
    """Return a time as boto3 expects it."""
    return datetime.fromtimestamp(moment, UTC)


def executions(fleet: Fleet, source: SimulatedDataSource, service: SimulatedEndpoint, **filters: Any) -> list[str]:
    """Return the execution ids on all pages, read with boto3's own paginator."""
    pages = client_of(service.url).get_paginator("list_data_source_sync_jobs")
    return [
        job["executionId"] for page in pages.paginate(**ids_of(fleet, source), **filters) for job in page["history"]
    ]


@pytest.mark.parametrize("size", [1, 3, 10])
@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
def test_all_pages_together_have_each_job_once(order: str, size: int) -> None:
    """The jobs are in the configured order."""
    source = hourly()
    fleet, _ = one_index(source)
    with SimulatedEndpoint(fleet, ManualClock(NOON), order=order) as service:
        found = executions(fleet, source, service, PaginationConfig={"PageSize": size})
        newest_first = [make_id("hourly", n) for n in range(1, 1 + HOURLY)]
        assert sorted(found) == sorted(newest_first)
        if order == "shuffled":
            assert found not in (newest_first, newest_first[::-1])
        else:
            assert found == (newest_first if order == "newest" else newest_first[::-1])
        assert [logged.call.page for logged in logged_requests(service)] == list(range(1, 1 + -(-HOURLY // size)))


def test_a_page_has_ten_jobs_unless_fewer_are_requested() -> None:
    """The last page has no token."""
    source = hourly()
    fleet, _ = one_index(source)
    with SimulatedEndpoint(fleet, ManualClock(NOON)) as service:
        client, ids = client_of(service.url), ids_of(fleet, source)
        first = client.list_data_source_sync_jobs(**ids)
        assert len(first["history"]) == 10
        token, sizes = first["nextToken"], []
        while token:
            page: Any = client.list_data_source_sync_jobs(**ids, nextToken=token, maxResults=7)
            sizes.append(len(page["history"]))
            token = page.get("nextToken")
        assert sizes == [7, 7, 1]


@pytest.mark.parametrize(("pages", "second"), [("shifting", [10, 11, 12]), ("stable", [11, 12, 13])])
def test_a_job_that_starts_between_two_requests_shifts_the_pages(pages: str, second: list[int]) -> None:
    """The last job of the first page is also on the second, unless pages are stable."""
    source, clock = hourly(), ManualClock(NOON)
    fleet, _ = one_index(source)
    with SimulatedEndpoint(fleet, clock, paging=pages) as service:
        client, ids = client_of(service.url), ids_of(fleet, source)
        first = client.list_data_source_sync_jobs(**ids)
        source.jobs.append(PlannedJob(make_id("new"), clock.advance(1)))
        page = client.list_data_source_sync_jobs(**ids, nextToken=first["nextToken"], maxResults=3)
        assert [job["executionId"] for job in page["history"]] == [make_id("hourly", n) for n in second]


@pytest.mark.parametrize(
    ("reading", "since", "until", "expected"),
    [
        ("start", -3 * HOUR, None, ["running", 1, 2, 3]),
        ("start", -3 * HOUR + 1, None, ["running", 1, 2]),
        ("start", None, -24 * HOUR, [24, 25, "stuck"]),
        ("start", -3 * HOUR, -2 * HOUR, [2, 3]),
        ("overlap", -3 * HOUR + 600, None, ["running", 1, 2, 3, "stuck"]),
        ("overlap", -3 * HOUR + 601, None, ["running", 1, 2, "stuck"]),
        ("overlap", None, -24 * HOUR, [24, 25, "stuck"]),
        ("overlap", -3 * HOUR, -2 * HOUR, [2, 3, "stuck"]),
    ],
)
def test_a_time_filter_applies_to_the_start_or_to_the_overlap(
    reading: str, since: float | None, until: float | None, expected: list[object]
) -> None:
    """A job in progress has no end. Both bounds are inclusive."""
    source = hourly()
    source.jobs.append(PlannedJob(make_id("hourly", "running"), NOON - 60))
    source.jobs.append(PlannedJob(make_id("hourly", "stuck"), NOON - 100 * HOUR, outcome=None))
    fleet, _ = one_index(source)
    filters = {"startTime": since, "endTime": until}
    arguments = {name: at(NOON + offset) for name, offset in filters.items() if offset is not None}
    with SimulatedEndpoint(fleet, ManualClock(NOON), time_filter=reading) as service:
        assert executions(fleet, source, service, **arguments) == [make_id("hourly", name) for name in expected]


def test_the_status_filter_applies_to_the_current_status() -> None:
    """The log has the filters of each request."""
    source, clock = SimulatedDataSource("a", jobs=[PlannedJob(make_id(1), NOON, 60, 60)]), ManualClock(NOON)
    fleet, _ = one_index(source)
    with SimulatedEndpoint(fleet, clock) as service:
        for status in ("SYNCING", "SYNCING_INDEXING", "SUCCEEDED"):
            for status_filter in STATUSES:
                found = executions(fleet, source, service, statusFilter=status_filter, startTime=at(NOON - 9.5))
                assert found == ([make_id(1)] if status_filter == status else [])
            clock.advance(60)
        last = service.requests[-1].call
        assert (last.operation, last.data_source_id, last.status) == ("ListDataSourceSyncJobs", source.id, STATUSES[-1])
        assert last.since == NOON - 9.5


def test_changes_of_the_fleet_are_in_the_next_response() -> None:
    """A job can be added, changed and removed while the service runs."""
    source = SimulatedDataSource("a")
    fleet, index = one_index(source)
    with SimulatedEndpoint(fleet, ManualClock(NOON)) as service:
        client, ids = client_of(service.url), ids_of(fleet, source)
        assert executions(fleet, source, service) == []
        source.jobs.append(PlannedJob(make_id(1), NOON - HOUR))
        source.change(make_id(1), outcome="FAILED", error_code="InternalError", source_error="CNF-5501")
        (job,) = client.list_data_source_sync_jobs(**ids)["history"]
        assert (job["status"], job["dataSourceErrorCode"]) == ("FAILED", "CNF-5501")
        assert job["error"] == {"errorCode": "InternalError"}
        source.jobs.clear()
        assert executions(fleet, source, service) == []
        index.data_sources.remove(source)
        with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
            client.list_data_source_sync_jobs(**ids)
        said: Any = caught.value.response
        assert (said["resourceId"], said["resourceType"]) == (source.id, "DATA_SOURCE")


def test_the_counts_of_a_job_grow_and_its_end_moves() -> None:
    """A recorded job of a real account did the same."""
    job = PlannedJob(make_id(1), NOON, 100, 100, "INCOMPLETE", {"modified": 993, "failed": 6, "scanned": 999})
    source, clock = SimulatedDataSource("a", jobs=[job]), ManualClock(NOON)
    fleet, _ = one_index(source)
    with SimulatedEndpoint(fleet, clock) as service:
        client, ids = client_of(service.url), ids_of(fleet, source)

        def job_after(seconds: float) -> Any:
            clock.set(NOON + seconds)
            return client.list_data_source_sync_jobs(**ids)["history"][0]

        crawling, indexing, later, ended = job_after(50), job_after(120), job_after(150), job_after(1000)
        assert crawling["status"] == "SYNCING"
        assert "endTime" not in crawling
        assert crawling["metrics"] == {"documentsModified": "248", "documentsFailed": "1", "documentsScanned": "499"}
        assert indexing["status"] == later["status"] == "SYNCING_INDEXING"
        assert at(NOON) < indexing["endTime"] < later["endTime"] < ended["endTime"] == at(NOON + 200)
        assert ended["status"] == "INCOMPLETE"
        assert ended["metrics"] == {"documentsModified": "993", "documentsFailed": "6", "documentsScanned": "999"}


VALID_ID = "a" * 36
INVALID: list[tuple[str, dict[str, object], int, str, str]] = [
    ("/applications", {"maxResults": 0}, 400, "FIELD_VALIDATION_FAILED", "maxResults"),
    ("/applications", {"maxResults": 101}, 400, "FIELD_VALIDATION_FAILED", "maxResults"),
    ("/applications", {"maxResults": "ten"}, 400, "CANNOT_PARSE", "maxResults"),
    ("/applications", {"maxResults": "9" * 5000}, 400, "FIELD_VALIDATION_FAILED", "maxResults"),
    ("/applications", {"maxresults": 1}, 400, "FIELD_VALIDATION_FAILED", "maxresults"),
    ("/applications", {"nextToken": "made up"}, 400, "FIELD_VALIDATION_FAILED", "nextToken"),
    ("/applications", {"nextToken": "bWFkZSB1cA=="}, 400, "FIELD_VALIDATION_FAILED", "nextToken"),
    ("/applications/short", {}, 400, "FIELD_VALIDATION_FAILED", "applicationId"),
    (f"/applications/{VALID_ID}a", {}, 400, "FIELD_VALIDATION_FAILED", "applicationId"),
    (f"/applications/-{VALID_ID[1:]}", {}, 400, "FIELD_VALIDATION_FAILED", "applicationId"),
    (f"/applications/{VALID_ID[1:]}_/indices/{VALID_ID}", {}, 400, "FIELD_VALIDATION_FAILED", "applicationId"),
    (f"/applications/{VALID_ID}", {"maxResults": 1}, 400, "FIELD_VALIDATION_FAILED", "maxResults"),
    ("/v1/tags/arn:aws:s3:::bucket", {}, 400, "FIELD_VALIDATION_FAILED", "resourceARN"),
]
INVALID_FILTERS = [
    ({"maxResults": 11}, "FIELD_VALIDATION_FAILED", "maxResults"),
    ({"startTime": "yesterday"}, "CANNOT_PARSE", "startTime"),
    ({"startTime": "1790000000"}, "CANNOT_PARSE", "startTime"),
    ({"startTime": "2026-02-30T00:00:00Z"}, "CANNOT_PARSE", "startTime"),
    ({"endTime": "2026-02-20T00:00:00"}, "CANNOT_PARSE", "endTime"),
    ({"syncStatus": "DONE"}, "FIELD_VALIDATION_FAILED", "syncStatus"),
    ({"statusFilter": "FAILED"}, "FIELD_VALIDATION_FAILED", "statusFilter"),
]


@pytest.mark.parametrize(("path", "query", "status", "reason", "field"), INVALID)
def test_an_invalid_request_is_rejected_as_by_aws(
    path: str, query: dict[str, object], status: int, reason: str, field: str
) -> None:
    """The error has the reason and the field. The log has the operation."""
    service = SimulatedService(one_index()[0], ManualClock(NOON))
    response = get(service, path, **query)
    body = body_of(response)
    assert response.status == status
    assert response.headers["x-amzn-errortype"] == "ValidationException"
    assert body["message"]
    assert (body["reason"], body["fields"][0]["name"]) == (reason, field)
    assert service.requests[-1].call.operation != "Unknown"


@pytest.mark.parametrize(("query", "reason", "field"), INVALID_FILTERS)
def test_an_invalid_filter_is_rejected_as_by_aws(query: dict[str, object], reason: str, field: str) -> None:
    """The error has the reason and the field."""
    source = hourly()
    fleet, _ = one_index(source)
    response = get(SimulatedService(fleet, ManualClock(NOON)), jobs_path(fleet, source), **query)
    body = body_of(response)
    assert (response.status, body["reason"], body["fields"][0]["name"]) == (400, reason, field)


def test_a_repeated_parameter_is_rejected() -> None:
    """It is undefined which of the two values applies."""
    response = get(SimulatedService(one_index()[0]), "/applications?maxResults=1&maxResults=2")
    assert (response.status, body_of(response)["fields"][0]["name"]) == (400, "maxResults")


def test_a_token_is_valid_only_for_its_listing() -> None:
    """Another data source or filter is an error. Another page size is not, and a token can be used again."""
    source, other = hourly(), hourly("other")
    fleet, _ = one_index(source, other)
    service = SimulatedService(fleet, ManualClock(NOON))
    path, filters = jobs_path(fleet, source), {"startTime": "2001-01-01T00:00:00Z"}
    token = body_of(get(service, path, **filters))["nextToken"]
    assert get(service, path, **filters, nextToken=token).status == 200
    assert get(service, path, **filters, nextToken=token, maxResults=2).status == 200
    assert get(service, path, nextToken=token).status == 400
    assert get(service, path, **filters, syncStatus="FAILED", nextToken=token).status == 400
    assert get(service, jobs_path(fleet, other), **filters, nextToken=token).status == 400
    assert get(service, path, **filters, nextToken=token[:-4]).status == 400


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "Bearer token",
        "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature="
        + "0" * 64,
    ],
)
def test_a_request_without_a_signature_for_the_service_is_rejected(signature: str) -> None:
    """The response is 403, before any other validation."""
    response = get(SimulatedService(one_index()[0]), "/applications?odd=1", signature)
    assert (response.status, response.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize("path", ["/", "/application", "/applications/", "/applications/a/b", "/v2/tags/arn"])
def test_an_unknown_path_is_not_found(path: str) -> None:
    """The response is 404, and the log has an unknown operation."""
    service = SimulatedService(one_index()[0])
    response = get(service, path)
    assert (response.status, response.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    assert service.requests[-1].call.operation == "Unknown"


def test_every_response_has_the_simulated_date_and_a_unique_id() -> None:
    """Errors have them too."""
    clock = ManualClock(NOON)
    with SimulatedEndpoint(one_index()[0], clock) as service:
        client = client_of(service.url)
        first = client.list_applications()["ResponseMetadata"]
        clock.advance(HOUR)
        with pytest.raises(ClientError) as caught:
            client.get_application(applicationId=VALID_ID)
        second: Any = caught.value.response["ResponseMetadata"]
        assert parsedate_to_datetime(first["HTTPHeaders"]["date"]) == at(NOON)
        assert parsedate_to_datetime(second["HTTPHeaders"]["date"]) == at(NOON + HOUR)
        assert len({first["RequestId"], second["RequestId"]}) == 2
        assert first["HTTPHeaders"]["content-type"] == "application/json"
        assert [logged.at for logged in service.requests] == [NOON, NOON + HOUR]


@pytest.mark.parametrize(
    "fleet", [demo_fleet(NOON), *(random_fleet(seed, 15, NOON, odd=False) for seed in range(6))], ids=lambda _: "fleet"
)
def test_responses_conform_to_the_service_model(fleet: Fleet) -> None:
    """Each operation has no unknown member, all required ones, the right types and known enumeration values."""
    model = session().client("qbusiness").meta.service_model
    service = SimulatedService(fleet, ManualClock(NOON))
    for operation, path in every_path(fleet):
        shape = model.operation_model(operation).output_shape
        assert shape
        page = body_of(get(service, path))
        assert_conforms(page, shape, operation)
        while "nextToken" in page:
            page = body_of(get(service, path, nextToken=page["nextToken"]))
            assert_conforms(page, shape, operation)


def every_path(fleet: Fleet) -> Iterator[tuple[str, str]]:
    """Yield every path of a fleet with its operation."""
    yield "ListApplications", "/applications"
    account_arn = f"arn:aws:qbusiness:{fleet.region}:{fleet.account}:application"
    for application in fleet.applications:
        yield "GetApplication", f"/applications/{application.id}"
        yield "ListIndices", f"/applications/{application.id}/indices"
        yield "ListTagsForResource", f"/v1/tags/{account_arn}/{application.id}"
    for application, index, source in fleet.data_sources():
        where = f"/applications/{application.id}/indices/{index.id}"
        yield "GetIndex", where
        yield "ListDataSources", f"{where}/datasources"
        yield "GetDataSource", f"{where}/datasources/{source.id}"
        yield "ListDataSourceSyncJobs", f"{where}/datasources/{source.id}/syncjobs"
        yield "ListTagsForResource", f"/v1/tags/{account_arn}/{application.id}/index/{index.id}/data-source/{source.id}"


JSON_TYPES = {
    "structure": dict,
    "list": list,
    "string": str,
    "integer": int,
    "long": int,
    "timestamp": (int, float),
    "boolean": bool,
}


def assert_conforms(value: object, shape: Shape, where: str) -> None:
    """Assert that a JSON value conforms to a shape of the service model."""
    kind: Any = JSON_TYPES[shape.type_name]
    assert isinstance(value, kind), where
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        members: dict[str, Shape] = getattr(shape, "members", {})
        mapping: Any = value
        assert mapping.keys() <= members.keys(), where
        assert mapping.keys() >= set(getattr(shape, "required_members", [])), where
        for name, member in mapping.items():
            assert_conforms(member, members[name], f"{where}.{name}")
    elif isinstance(value, list):
        for item in value:
            assert_conforms(item, getattr(shape, "member"), f"{where}[]")  # noqa: B009 (ListShape has it, Shape has not)
    elif isinstance(value, str):
        enum = getattr(shape, "enum", [])
        assert not enum or value in enum, f"{where}: {value}"
        metadata: dict[str, Any] = shape.metadata
        assert metadata.get("min", 0) <= len(value) <= metadata.get("max", 10_000), where


def test_names_types_and_capacity_are_those_of_the_fleet() -> None:
    """Every Get and List operation returns them."""
    source = SimulatedDataSource("hr", "SHAREPOINTV2", "UPDATING", "cron(0 0 ? * * *)", tags={"team": "hr"})
    fleet, index = one_index(source)
    index.units, index.documents, index.text_bytes = 2, 992, 720_135
    with SimulatedEndpoint(fleet, ManualClock(NOON)) as service:
        client, ids = client_of(service.url), ids_of(fleet, source)
        (application,) = client.list_applications()["applications"]
        assert application["displayName"] == "intranet"
        assert client.get_application(applicationId=ids["applicationId"])["displayName"] == "intranet"
        (summary,) = client.list_indices(applicationId=ids["applicationId"])["indices"]
        assert (summary["indexId"], summary["displayName"]) == (index.id, "main")
        described = client.get_index(applicationId=ids["applicationId"], indexId=index.id)
        assert described["capacityConfiguration"] == {"units": 2}
        statistics = described["indexStatistics"]["textDocumentStatistics"]
        assert statistics == {"indexedTextBytes": 720_135, "indexedTextDocumentCount": 992}
        (listed,) = client.list_data_sources(applicationId=ids["applicationId"], indexId=index.id)["dataSources"]
        assert (listed["type"], listed["status"]) == ("SHAREPOINTV2", "UPDATING")
        found = client.get_data_source(**ids)
        assert found["syncSchedule"] == "cron(0 0 ? * * *)"
        assert SECRET_MARKER in json.dumps(found["configuration"])
        tags = client.list_tags_for_resource(resourceARN=found["dataSourceArn"])["tags"]
        assert tags == [{"key": "team", "value": "hr"}]
        assert client.list_tags_for_resource(resourceARN=described["indexArn"])["tags"] == []
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.list_tags_for_resource(resourceARN=found["dataSourceArn"][:-1] + "z")


def test_the_service_returns_the_callers_identity() -> None:
    """It also implements the Security Token Service."""
    with SimulatedEndpoint(one_index()[0]) as service:
        identity = session().client("sts", endpoint_url=service.url).get_caller_identity()
        assert identity["Account"] == service.fleet.account
        assert service.requests[-1].call.is_sts


def test_fifty_concurrent_clients_get_responses() -> None:
    """Each has a persistent connection. Together they send 2,000 requests within seconds."""
    source = hourly()
    fleet, _ = one_index(source)
    path = jobs_path(fleet, source)
    with SimulatedEndpoint(fleet, ManualClock(NOON)) as service:
        failures: list[int] = []

        def send_requests() -> None:
            connection = HTTPConnection(service.url.removeprefix("http://"), timeout=TIMEOUT)
            for _ in range(40):
                connection.request("GET", path, headers={"Authorization": SIGNATURE})
                response = connection.getresponse()
                if len(json.loads(response.read())["history"]) != 10:
                    failures.append(response.status)
            connection.close()

        threads = [threading.Thread(target=send_requests) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
        assert not failures
        assert len(service.requests) == 2000


def test_the_service_stops_at_once_while_requests_hang() -> None:
    """Waiting clients lose their connections, and new ones cannot connect."""
    source = hourly()
    fleet, _ = one_index(source)
    service = SimulatedEndpoint(fleet, ManualClock(NOON))
    service.faults.add("hang")
    service.start()
    client, ended = client_of(service.url, read_timeout=10 * TIMEOUT), threading.Event()

    def send_request() -> None:
        with pytest.raises(Exception, match=r"closed|reset|aborted|disconnected"):
            client.list_applications()
        ended.set()

    threading.Thread(target=send_request, daemon=True).start()
    eventually(lambda: service.requests)
    service.stop()
    assert ended.wait(TIMEOUT)
    with pytest.raises(EndpointConnectionError):
        client_of(service.url).list_applications()


def test_a_service_that_was_never_started_can_be_stopped() -> None:
    """Its port is free afterwards."""
    service = SimulatedEndpoint(one_index()[0])
    service.stop()
    with SimulatedEndpoint(one_index()[0], port=int(service.url.rpartition(":")[2])) as again:
        assert again.url == service.url


def test_a_hanging_request_times_out_and_others_succeed() -> None:
    """The fault affects one data source only."""
    source, other = hourly(), hourly("other")
    fleet, _ = one_index(source, other)
    with SimulatedEndpoint(fleet, ManualClock(NOON)) as service:
        service.faults.add("hang", data_source_id=source.id)
        with pytest.raises(ReadTimeoutError):
            client_of(service.url, read_timeout=0.2).list_data_source_sync_jobs(**ids_of(fleet, source))
        assert len(executions(fleet, other, service)) == HOURLY


def test_a_scaled_clock_runs_faster_than_real_time() -> None:
    """It starts at the given time, and advances by the speed."""
    began = time.monotonic()
    clock = ScaledClock(NOON, 3600.0)
    threading.Event().wait(0.05)
    passed = clock.now() - NOON
    assert 0.05 * 3600 <= passed <= (time.monotonic() - began) * 3600


def test_a_long_history_is_fast_and_always_the_same() -> None:
    """The jobs of 60 days are created once, and not for each request."""
    created = []

    def plan(dice: Any) -> PlannedJob:
        created.append(dice)
        return PlannedJob("", 0, documents={"added": dice.randint(0, 9)})

    source = SimulatedDataSource("old", routine=Routine("old", NOON - 60 * 24 * HOUR, HOUR, plan, max_listed=1440))
    fleet, _ = one_index(source)
    service, path = SimulatedService(fleet, ManualClock(NOON)), jobs_path(fleet, source)
    first = get(service, path).body
    at_first = len(created)
    assert all(get(service, path).body == first for _ in range(20))
    assert len(created) == at_first
    since = (at(NOON) - timedelta(days=59)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "nextToken" in body_of(get(service, path, startTime=since, maxResults=10))


def test_documents_are_listed_by_data_source_and_in_pages() -> None:
    """Without a filter, the whole index is listed. An unknown data source does not exist."""
    a, b = (SimulatedDataSource(name, documents=[SimulatedDocument(f"{name}{n}") for n in range(3)]) for name in "ab")
    fleet, index = one_index(a, b)
    ids: dict[str, Any] = {"applicationId": fleet.applications[0].id, "indexId": index.id}
    with SimulatedEndpoint(fleet, ManualClock(NOON)) as service:
        client = client_of(service.url)
        pages = client.get_paginator("list_documents").paginate(
            **ids, dataSourceIds=[a.id], PaginationConfig={"PageSize": 2}
        )
        assert [[each["documentId"] for each in page["documentDetailList"]] for page in pages] == [["a0", "a1"], ["a2"]]
        assert len(client.list_documents(**ids)["documentDetailList"]) == 6
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.list_documents(**ids, dataSourceIds=["0" * 36])
        with pytest.raises(client.exceptions.ValidationException):
            client.list_documents(**ids, maxResults=101)
