"""Amazon Bedrock: outcomes of jobs, reasons of failures, and schedules."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.domain.model import SyncJob
from exporter.metrics import container_families, source_families, source_labels
from exporter.providers.bedrock.failure_reasons import MAX_MESSAGE, kind_of, message_of, parse_reasons
from exporter.providers.bedrock.parsing import parse_data_source, parse_explained, parse_listed_source
from exporter.providers.bedrock.service import BEDROCK
from tests.support.builders import NOON

JOB_ID = "SMSZ8GIZ5E"
IGNORED = "Ignored 383 files as the associated metadata was larger than service limit of 1024 bytes"


LISTED = SyncJob(JOB_ID, "INCOMPLETE", NOON - 60, NOON, needs_explanation=True)


def explained(status: str = "COMPLETE", reasons: list[str] | None = None, **counts: object) -> Any:
    """Return a job that GetIngestionJob has returned."""
    raw: dict[str, Any] = {
        "ingestionJobId": JOB_ID,
        "status": status,
        "startedAt": NOON - 60,
        "updatedAt": NOON,
        "statistics": {"numberOfDocumentsScanned": 383, "numberOfDocumentsFailed": 0, **counts},
    }
    return parse_explained(raw | ({} if reasons is None else {"failureReasons": reasons}), LISTED, NOON, [])


@pytest.mark.parametrize(
    ("status", "reasons", "failed", "outcome"),
    [
        ("COMPLETE", None, None, "INCOMPLETE"),
        ("COMPLETE", None, "none", "INCOMPLETE"),
        ("COMPLETE", None, 0, "SUCCEEDED"),
        ("COMPLETE", [], 0, "SUCCEEDED"),
        ("COMPLETE", None, 1, "INCOMPLETE"),
        ("COMPLETE", [IGNORED], 0, "INCOMPLETE"),
        ("FAILED", None, 0, "FAILED"),
        ("FAILED", ["no reason"], 0, "FAILED"),
        ("STOPPED", None, 0, "ABORTED"),
        ("STOPPING", None, 0, "STOPPING"),
        ("IN_PROGRESS", None, 0, "SYNCING"),
        ("PAUSED", None, 0, "PAUSED"),
    ],
)
def test_a_job_succeeds_only_if_nothing_failed(
    status: str, reasons: list[str] | None, failed: object, outcome: str
) -> None:
    """COMPLETE is not sufficient: a job that ignored every document is COMPLETE and has no failed ones.

    Nor is the lack of the number of failed documents: a missing number is not 0.
    """
    job = explained(status, reasons, numberOfDocumentsFailed=failed)
    assert (job.status, job.needs_explanation) == (outcome, False)
    assert job.duration == (60.0 if job.is_terminal else None)


@pytest.mark.parametrize(
    ("raw", "texts", "kind"),
    [
        ([], (), ""),
        (["plain text"], ("plain text",), "other"),
        ([json.dumps(["a", "b"]), "c"], ("a", "b", "c"), "other"),
        ([json.dumps([IGNORED])], (IGNORED,), "MetadataIgnored"),
        (["x", "User is not authorized to perform: s3:GetObject"], None, "NotAuthorized"),
        (["The sync completed. Some documents could not be crawled."], None, "NotCrawled"),
        (["[1, 2]", "\ud800"], ("[1, 2]", "?"), "other"),
    ],
)
def test_reasons_are_texts_of_a_bounded_kind(raw: list[str], texts: tuple[str, ...] | None, kind: str) -> None:
    """A text may be a JSON array of texts. Only the kind becomes a label: the texts name files."""
    reasons = parse_reasons({"failureReasons": raw}, "job", [])
    assert texts is None or reasons == texts
    assert kind_of(reasons) == kind
    assert kind in {*BEDROCK.error_codes, "other", ""}


def test_a_message_is_bounded() -> None:
    """AWS may return four million characters for one job."""
    message = message_of(("x" * 2048,) * 2048)
    assert len(message) < MAX_MESSAGE + 40
    assert message.endswith("… (2048 reasons)")


@pytest.mark.parametrize(
    ("members", "warning"),
    [
        ({"failureReasons": "a text"}, "job SMSZ8GIZ5E: expected list in `failureReasons`, got str"),
        ({"failureReasons": {}}, "job SMSZ8GIZ5E: expected list in `failureReasons`, got dict"),
        ({"failureReasons": [None, 5]}, "job SMSZ8GIZ5E: expected str in `failureReasons`, got int"),
        ({"statistics": []}, "expected dict in `statistics`, got list, ignored"),
        ({"statistics": {"numberOfDocumentsFailed": "none"}}, "numberOfDocumentsFailed 'none' is not a count, ignored"),
        ({"status": None}, "the outcome of job SMSZ8GIZ5E is unknown: job SMSZ8GIZ5E skipped: no usable status"),
        ({"status": 5}, "skipped: no usable status"),
        ({"ingestionJobId": "AAAAAAAAAA"}, "the outcome of job SMSZ8GIZ5E is unknown: the response is about job AAAA"),
    ],
)
def test_a_response_with_unusable_members_never_shows_a_success(members: dict[str, object], warning: str) -> None:
    """A repetition would have the same members. So the job ends with what the rest of the response shows."""
    warnings: list[str] = []
    complete = {"ingestionJobId": JOB_ID, "status": "COMPLETE", "statistics": {"numberOfDocumentsFailed": 0}}
    job = parse_explained({**complete, **members}, LISTED, NOON, warnings)
    assert (job.status, job.needs_explanation, job.duration) == ("INCOMPLETE", False, 60.0)
    assert warning in "\n".join(warnings)


def test_the_status_of_a_response_with_unusable_members_is_used() -> None:
    """Whether a job has failed does not depend on its reasons."""
    raw = {"ingestionJobId": JOB_ID, "status": "FAILED", "startedAt": [], "failureReasons": [{"reason": IGNORED}]}
    job = parse_explained(raw, LISTED, NOON, [])
    assert (job.status, job.error_code, job.started) == ("FAILED", "MetadataIgnored", LISTED.started)
    assert IGNORED in job.error_message


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (None, ""),
        ({"daily": {}}, "every day"),
        ({"weekly": {"dayOfWeek": "MONDAY"}}, "weekly on MONDAY"),
        ({"monthly": {"dayOfMonth": {"dayNumber": 15}}}, "monthly on day 15"),
        ({"monthly": {"dayOfMonth": {"lastDayOfMonth": {}}}}, "monthly on the last day"),
        ({"daily": None, "weekly": {"dayOfWeek": "MONDAY"}}, "weekly on MONDAY"),
        ({"monthly": {"dayOfMonth": {"dayNumber": None, "lastDayOfMonth": {}}}}, "monthly on the last day"),
        ({"hourly": {}}, "hourly"),
    ],
)
def test_schedules_of_managed_connectors_are_periods(schedule: object, text: str) -> None:
    """An undocumented form is a schedule that is not valid, and not a sync on demand."""
    connector = {"connectorParameters": {"type": "SHAREPOINT"}, **({"syncSchedule": schedule} if schedule else {})}
    configuration = {
        "type": "MANAGED_KNOWLEDGE_BASE_CONNECTOR",
        "managedKnowledgeBaseConnectorConfiguration": connector,
    }
    described = parse_data_source({"dataSource": {"name": "hr", "dataSourceConfiguration": configuration}})
    assert (described.type, described.schedule) == ("SHAREPOINT", text)


def test_a_listing_has_neither_type_nor_creation() -> None:
    """Only GetDataSource has them. They are unknown here, and not empty."""
    listed = parse_listed_source({"dataSourceId": "B" * 10, "name": "hr", "status": "AVAILABLE"})
    assert (listed.type, listed.created, listed.schedule) == ("", None, None)


def test_families_that_the_service_cannot_fill_are_absent() -> None:
    """The names have the prefix and the words of the service."""
    names = {family.name for family in (*source_families(BEDROCK), *container_families(BEDROCK))}
    assert {"bedrock_knowledge_base_info", "bedrock_documents_skipped_total", "bedrock_sync_jobs"} <= names
    assert not names & {f"bedrock_knowledge_base_{kind}" for kind in ("documents", "text_bytes", "documents_limit")}
    assert "bedrock_knowledge_base_capacity_units" not in names
    assert source_labels(BEDROCK) == ("knowledge_base", "data_source", "data_source_id")
