"""Parsing of responses: valid values, unusable values, and members of the wrong type."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.model import (
    ContainerFacts,
    Description,
    DocumentCounts,
    SyncJob,
    SyncJobStatus,
)
from exporter.errors import ProviderError
from exporter.providers import Listing, job_parsing
from exporter.providers.members import parse_items
from exporter.providers.qbusiness import parsing
from exporter.providers.qbusiness.parsing import (
    parse_data_source,
    parse_index,
    parse_named,
    parse_tags,
)
from exporter.providers.qbusiness.service import QBUSINESS
from tests.support.builders import NOON
from tests.support.service_model import MODEL, enum_of, members_of

JOB = {"executionId": "e", "status": "SUCCEEDED", "startTime": NOON - 60, "endTime": NOON - 10}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ("executionId", "status", "startTime", "endTime", "metrics", "error", "dataSourceErrorCode")


def parse_job(raw: object, now: float, warnings: list[str]) -> SyncJob | None:
    """Parse a job of the service."""
    return job_parsing.parse_job(raw, parsing.JOB, now, warnings)


def test_names_of_members_and_values_are_those_of_the_service() -> None:
    """They are compared with botocore's description of the API."""
    assert enum_of("DataSourceSyncJobStatus") == set(SyncJobStatus)
    assert enum_of("DataSourceStatus") == set(QBUSINESS.source_statuses)
    assert enum_of("IndexStatus") == set(QBUSINESS.container_statuses)
    assert enum_of("ErrorCode") == set(QBUSINESS.error_codes)
    assert members_of("DataSourceSyncJob") == set(MEMBERS)
    assert members_of("DataSourceSyncJobMetrics") == {member for _, member in QBUSINESS.members.document_counts}
    assert "history" in members_of("ListDataSourceSyncJobsResponse")
    names = {"displayName", "dataSourceId", "type", "createdAt", "updatedAt", "status"}
    assert members_of("DataSource") == names
    properties = {"displayName", "type", "status", "indexArn", "capacityConfiguration", "indexStatistics"}
    assert properties <= members_of("GetIndexResponse")
    assert members_of("TextDocumentStatistics") == {"indexedTextBytes", "indexedTextDocumentCount"}
    assert "syncSchedule" in members_of("GetDataSourceResponse")
    request: Any = MODEL.shape_for("ListDataSourceSyncJobsRequest")
    assert request.members["statusFilter"].serialization["name"] == "syncStatus"


def test_a_job_is_parsed_in_full() -> None:
    """Counts are strings, and times are numbers or text."""
    warnings: list[str] = []
    raw = {
        **JOB,
        "status": "FAILED",
        "startTime": "2026-09-21T14:12:20Z",
        "metrics": {"documentsAdded": "0", "documentsFailed": 12},
        "error": {"errorCode": "InvalidRequest", "errorMessage": "credentials are wrong"},
        "dataSourceErrorCode": "SPE-5002",
    }
    assert parse_job(raw, NOON, warnings) == SyncJob(
        execution_id="e",
        status="FAILED",
        started=NOON - 60,
        ended=NOON - 10,
        documents=DocumentCounts(added=0, failed=12),
        error_code="InvalidRequest",
        error_message="credentials are wrong",
        connector_error="SPE-5002",
        data_source_error_code="SPE-5002",
    )
    assert warnings == []


@pytest.mark.parametrize(
    ("member", "value", "warning"),
    [
        ("executionId", None, "job without id skipped: no usable executionId"),
        ("status", "", "job e skipped: no usable status"),
        ("startTime", None, "job e skipped: no usable startTime"),
        ("startTime", "yesterday", "startTime 'yesterday' of job 'e' is not a time between 2000 and now"),
        ("startTime", NOON * 1000, f"startTime {NOON * 1000} of job 'e' is not a time between 2000 and now"),
        ("startTime", NOON + 301, f"startTime {NOON + 301} of job 'e' is not a time between 2000 and now"),
    ],
)
def test_a_job_without_id_status_or_start_is_skipped(member: str, value: object, warning: str) -> None:
    """The warning names what is missing."""
    warnings: list[str] = []
    assert parse_job({**JOB, member: value}, NOON, warnings) is None
    assert warning in warnings


@pytest.mark.parametrize(
    ("value", "warning"),
    [
        (NOON - 61, f"job e: endTime {NOON - 61} is before startTime {NOON - 60}, ignored"),
        (NOON + 301, f"endTime {NOON + 301} of job 'e' is not a time between 2000 and now"),
    ],
)
def test_an_impossible_end_is_ignored(value: float, warning: str) -> None:
    """The job is used without its end."""
    warnings: list[str] = []
    job = parse_job({**JOB, "endTime": value}, NOON, warnings)
    assert job
    assert (job.status, job.ended) == ("SUCCEEDED", None)
    assert warnings == [warning]


@pytest.mark.parametrize("value", ["12x", "-3", 12.5, True, "", "01", 10**12, [1]])
def test_an_impossible_count_is_ignored(value: object) -> None:
    """The other counts of the job are used."""
    warnings: list[str] = []
    metrics = {"documentsAdded": value, "documentsScanned": "7"}
    job = parse_job({**JOB, "metrics": metrics}, NOON, warnings)
    assert job
    assert job.documents == DocumentCounts(scanned=7)
    assert warnings == [f"job e: documentsAdded {value!r} is not a count, ignored"]


@pytest.mark.parametrize(
    ("member", "value", "expected", "is_used"),
    [
        ("executionId", 5, "expected str in `executionId`, got int", False),
        ("status", 5, "expected str in `status`, got int", False),
        ("startTime", True, "expected int or float or str in `startTime`, got bool", False),
        ("endTime", {}, "expected int or float or str in `endTime`, got dict", True),
        ("metrics", [], "expected dict in `metrics`, got list", True),
        ("error", "x", "expected dict in `error`, got str", True),
        ("dataSourceErrorCode", 5, "expected str in `dataSourceErrorCode`, got int", True),
    ],
)
def test_a_member_of_the_wrong_type_is_treated_as_missing(
    member: str, value: object, expected: str, *, is_used: bool
) -> None:
    """A job is skipped if it is one of the members that it needs."""
    warnings: list[str] = []
    job = parse_job({**JOB, member: value}, NOON, warnings)
    assert job == (parse_job({**JOB, member: None}, NOON, []) if is_used else None)
    assert any(f"malformed response: {expected}" in warning for warning in warnings)


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON) | JSON)
def test_every_json_value_is_a_job_or_a_warning(raw: Any) -> None:
    """No entry raises an exception, and a job is always in the valid range of times."""
    warnings: list[str] = []
    job = parse_job(raw, NOON, warnings)
    assert job or warnings
    if job:
        assert job.started <= NOON + 300
        assert job.ended is None or job.ended >= job.started
        job.status.encode()


@pytest.mark.parametrize(
    ("code", "message", "connector_error"),
    [
        ("SPE-5002", "", "SPE-5002"),
        ("", "sync failed: SPE-5002, credentials", "SPE-5002"),
        ("CNF-5100", "SPE-5002", "CNF-5100"),
        ("S3.AccessDenied.KmsKeyDisabled", "SPE-5002", "SPE-5002"),
        ("S3.AccessDenied.KmsKeyDisabled", "The sync could not be completed.", ""),
    ],
)
def test_both_error_texts_are_kept_with_the_code_of_the_connector(
    code: str, message: str, connector_error: str
) -> None:
    """DataSourceErrorCode has precedence over the message, and neither text hides the other."""
    job = parse_job({**JOB, "dataSourceErrorCode": code, "error": {"errorMessage": message}}, NOON, [])
    assert job
    assert (job.data_source_error_code, job.error_message) == (code, message)
    assert job.connector_error == connector_error


def test_text_that_cannot_be_encoded_is_replaced() -> None:
    """JSON may contain half of a surrogate pair, which pages, logs and the database cannot store."""
    job = parse_job({**JOB, "status": "PAUSED\ud800"}, NOON, [])
    assert job
    assert job.status == "PAUSED?"


def test_an_entry_without_an_id_is_left_out_of_a_listing() -> None:
    """The others are used, with their number of pages."""
    pages: list[list[Any]] = [[{"applicationId": "a", "displayName": "intranet"}, {"displayName": "x"}], [None]]
    warning = "entry without applicationId ignored"
    assert parse_items(pages, "applicationId", parse_named) == Listing({"a": "intranet"}, 2, (warning, warning))


def test_the_schedule_of_a_listed_source_is_unknown() -> None:
    """Listings do not contain it. An empty one means that the source is synced on demand."""
    raw = {"displayName": "hr", "type": "S3", "status": "ACTIVE"}
    assert parse_data_source(raw) == Description("hr", "S3", "ACTIVE")
    assert parse_data_source({**raw, "syncSchedule": ""}).schedule == ""


def test_an_index_without_statistics_has_no_counts() -> None:
    """A value that the API does not report is unknown, and not 0."""
    raw = {"displayName": "main", "type": "ENTERPRISE", "status": "ACTIVE"}
    assert parse_index(raw) == ContainerFacts("main", "ENTERPRISE", "ACTIVE")
    with pytest.raises(ProviderError, match="malformed response: no displayName"):
        parse_index({"type": "ENTERPRISE"})


def test_tags_are_parsed() -> None:
    """Empty entries are ignored."""
    assert parse_tags({"tags": [{"key": "team", "value": "hr"}, None]}) == {"team": "hr"}
