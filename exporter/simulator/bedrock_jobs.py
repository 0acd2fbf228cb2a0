"""Ingestion jobs in the form of Amazon Bedrock, whose names differ from Amazon Q Business, and whose times are text."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exporter.simulator.job import PlannedJob

Json = dict[str, Any]
IGNORED = "Ignored 3 files as the associated metadata was larger than the limit"
STATUSES = ("STARTING", "IN_PROGRESS", "COMPLETE", "FAILED", "STOPPING", "STOPPED")
ID = re.compile(r"[0-9a-zA-Z]{10}")
_STATUSES = {
    "SYNCING": "IN_PROGRESS",
    "SYNCING_INDEXING": "IN_PROGRESS",
    "SUCCEEDED": "COMPLETE",
    "INCOMPLETE": "COMPLETE",
    "ABORTED": "STOPPED",
}
_COUNTS = {
    "documentsScanned": "numberOfDocumentsScanned",
    "documentsAdded": "numberOfNewDocumentsIndexed",
    "documentsModified": "numberOfModifiedDocumentsIndexed",
    "documentsDeleted": "numberOfDocumentsDeleted",
    "documentsFailed": "numberOfDocumentsFailed",
    "documentsSkipped": "numberOfDocumentsSkipped",
    "documentsMetadataScanned": "numberOfMetadataDocumentsScanned",
    "documentsMetadataModified": "numberOfMetadataDocumentsModified",
}
_NAMES = {"executionId": "ingestionJobId", "startTime": "startedAt", "endTime": "updatedAt"}
_OF_Q_BUSINESS = {"error", "dataSourceErrorCode"}


@lru_cache(maxsize=50_000)  # an account has at most 10,000 knowledge bases, and each request searches them
def wire_id(identifier: str) -> str:
    """Return an id in the form of the service; it is always the same for an id of the fleet."""
    if ID.fullmatch(identifier):
        return identifier
    return hashlib.blake2b(identifier.encode(), digest_size=5).hexdigest().upper()


def to_bedrock(job: Json, now: float | None = None) -> Json:
    """Return a job of Q Business in the form of Bedrock.

    `now` is the last update of a job without an end.
    """
    found = {_NAMES.get(name, name): value for name, value in job.items() if name not in _OF_Q_BUSINESS | {"metrics"}}
    if "status" in found:
        found["status"] = _word(found["status"])
    if "ingestionJobId" in found:
        found["ingestionJobId"] = wire_id(found["ingestionJobId"])
    if now is not None:
        found.setdefault("updatedAt", now)
    for name in ("startedAt", "updatedAt"):
        if name in found:
            found[name] = to_text(found[name])
    return {**found, **({"statistics": _statistics(job["metrics"])} if "metrics" in job else {})}


def from_bedrock(job: Json) -> Json:
    """Return a job of Bedrock in the form of Q Business, for edits that have that form."""
    names = {theirs: ours for ours, theirs in _NAMES.items()}
    words = {theirs: ours for ours, theirs in _STATUSES.items()} | {"COMPLETE": "SUCCEEDED"}
    found = {names.get(name, name): value for name, value in job.items() if name != "statistics"}
    found["status"] = words.get(found["status"], found["status"])
    for name in {"startTime", "endTime"} & found.keys():
        found[name] = datetime.fromisoformat(found[name]).timestamp()
    counts = {theirs: ours for ours, theirs in _COUNTS.items()}
    statistics = {counts[name]: str(count) for name, count in job.get("statistics", {}).items()}
    return {**found, **({"metrics": statistics} if "statistics" in job else {})}


def failure_reasons(job: Json) -> Json:
    """Return the member with the reasons of a job's failures: as often at AWS, a JSON array as text."""
    error = job.get("error")
    message = error.get("errorMessage") if isinstance(error, dict) else None
    return {"failureReasons": [json.dumps([message])]} if message else {}


def to_text(time: object) -> object:
    """Return a time as text with microseconds, as AWS does. Any other value is returned as it is."""
    if isinstance(time, bool) or not isinstance(time, int | float):
        return time
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return time


def _word(status: object) -> object:
    return _STATUSES.get(status, status) if isinstance(status, str) else status


def _statistics(metrics: object) -> object:
    """Return the figures as numbers. All but the skipped documents are present from the start."""
    if not isinstance(metrics, dict):
        return metrics
    given = {_COUNTS[name]: _number(count) for name, count in metrics.items()}
    return dict.fromkeys((name for name in _COUNTS.values() if name != "numberOfDocumentsSkipped"), 0) | given


def _number(count: object) -> object:
    return int(count) if isinstance(count, str) and re.fullmatch(r"-?\d+", count) else count


def as_ingested(job: PlannedJob) -> PlannedJob:
    """Return a job as Amazon Bedrock reports it.

    A COMPLETE job succeeded only if no document failed and it has no reasons. All others are incomplete. Jobs have no
    phases, and their counts grow until the end.
    """
    message, documents = job.error_message, job.documents
    if job.outcome == "SUCCEEDED":
        documents = {**documents, "failed": 0}
    elif job.outcome == "INCOMPLETE":
        message = IGNORED
    if job.outcome not in {"ABORTED", None}:
        seconds = job.crawl_seconds + job.stopping_seconds + job.index_seconds
        job = replace(job, crawl_seconds=seconds, stopping_seconds=0.0, index_seconds=0.0)
    return replace(job, documents=documents, error_message=message)
