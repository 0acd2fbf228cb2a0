"""Parsing of the responses of Amazon Q Business (API reference, version 2023-11-27).

A member of the wrong type raises ProviderError, because the rest of such a response cannot be trusted. A member that is
missing, or has an impossible value of the right type, is ignored, with a warning where the operator should know.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.utils import parse_timestamp

from exporter.domain.connector_codes import connector_code
from exporter.domain.documents import Document
from exporter.domain.model import ContainerFacts, Description, DocumentCounts, SyncJob
from exporter.errors import ProviderError, Reason
from exporter.providers import DocumentPage, Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")
# The two limits of one capacity unit (User Guide, "Index capacity"). The index is full when it reaches either.
DOCUMENTS_PER_UNIT = 20_000
TEXT_BYTES_PER_UNIT = 200 * 10**6  # "200 MB" in the guide: the smaller interpretation, so that alerts fire early

_COUNT = re.compile(r"0|[1-9][0-9]{0,11}")
# A time outside these years is wrong. One in milliseconds is far above.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
_LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
# Seconds that a job may be in the future. A success a year ahead would remain the last one for a year.
_MAX_CLOCK_ERROR = 300.0


def parse_job(raw: Mapping[str, Any], now: float, warnings: list[str]) -> SyncJob | None:
    """Return a job, or None with a warning if it lacks its id, status or start.

    `now` is the time of the response. Appends to `warnings`. Raise ProviderError for a member of the wrong type.
    """
    execution_id, status = _text(raw, "executionId"), _text(raw, "status")
    latest = now + _MAX_CLOCK_ERROR
    started = _time(raw, "startTime", warnings, latest)
    if not execution_id or not status or started is None:
        required = {"executionId": execution_id, "status": status, "startTime": started}
        missing = [name for name, value in required.items() if not value]
        warnings.append(f"job {execution_id or 'without id'} skipped: no usable {', '.join(missing)}")
        return None
    ended = _time(raw, "endTime", warnings, latest)
    if ended is not None and ended < started:
        warnings.append(f"job {execution_id}: endTime {ended} is before startTime {started}, ignored")
        ended = None
    error = _member(raw, "error", dict) or {}
    message, source_code = _text(error, "errorMessage"), _text(raw, "dataSourceErrorCode")
    return SyncJob(
        execution_id=execution_id,
        status=status,
        started=started,
        ended=ended,
        documents=_documents(_member(raw, "metrics", dict) or {}, execution_id, warnings),
        error_code=_text(error, "errorCode"),
        error_message=message,
        connector_error=connector_code(source_code, message),
        data_source_error_code=source_code,
    )


def parse_named(raw: Mapping[str, Any]) -> str:
    """Return the display name of an application or index in a listing; empty if it has none."""
    return _text(raw, "displayName")


def parse_data_source(raw: Mapping[str, Any]) -> Description:
    """Return the properties of a data source from ListDataSources or GetDataSource.

    The connector configuration, which contains host names and secrets, is left out.
    """
    return Description(
        name=_text(raw, "displayName"),
        type=_text(raw, "type"),
        status=_text(raw, "status"),
        created=_time(raw, "createdAt", []),
        updated=_time(raw, "updatedAt", []),
        schedule=_text(raw, "syncSchedule") if "syncSchedule" in raw else None,
    )


def parse_items(pages: Iterable[list[Any]], key: str, parse: Callable[[Mapping[str, Any]], T]) -> Listing[T]:
    """Return the items of a listing by their id. An entry without an id is left out with a warning."""
    items, warnings, count = {}, [], 0
    for page in pages:
        count += 1
        for raw in page:
            identifier = _text(raw or {}, key)
            if identifier:
                items[identifier] = parse(raw)
            else:
                warnings.append(f"entry without {key} ignored")
    return Listing(items, count, tuple(warnings))


def parse_document_page(raw: Mapping[str, Any]) -> DocumentPage:
    """Return a page of ListDocuments. A document without a status is left out with a warning."""
    parsed = [_parse_document(entry or {}) for entry in raw["documentDetailList"]]
    documents = tuple(document for document in parsed if document.status)
    warnings = ("entry without status ignored",) * (len(parsed) - len(documents))
    return DocumentPage(documents, _text(raw, "nextToken"), warnings)


def _parse_document(raw: Mapping[str, Any]) -> Document:
    error = _member(raw, "error", dict) or {}
    return Document(
        id=_text(raw, "documentId"),
        status=_text(raw, "status"),
        error_code=_text(error, "errorCode"),
        error_message=_text(error, "errorMessage"),
        created=_time(raw, "createdAt", []),
        updated=_time(raw, "updatedAt", []),
    )


def parse_index(raw: Mapping[str, Any]) -> ContainerFacts:
    """Return the properties of an index from GetIndex."""
    capacity = _member(raw, "capacityConfiguration", dict) or {}
    statistics = _member(raw, "indexStatistics", dict) or {}
    text = _member(statistics, "textDocumentStatistics", dict) or {}
    units = _member(capacity, "units", int)
    return ContainerFacts(
        name=parse_name(raw),
        type=_text(raw, "type"),
        status=_text(raw, "status"),
        arn=_text(raw, "indexArn"),
        documents=_member(text, "indexedTextDocumentCount", int),
        text_bytes=_member(text, "indexedTextBytes", int),
        units=units,
        documents_limit=None if units is None else units * DOCUMENTS_PER_UNIT,
        text_bytes_limit=None if units is None else units * TEXT_BYTES_PER_UNIT,
    )


def parse_tags(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return tags from ListTagsForResource."""
    return {_text(tag, "key"): _text(tag, "value") for tag in raw["tags"] if tag}


def parse_name(raw: Mapping[str, Any]) -> str:
    """Return the display name from a Get operation. Raise ProviderError if there is none."""
    name = _text(raw, "displayName")
    if not name:
        raise ProviderError(Reason.MALFORMED_RESPONSE, "malformed response: no displayName")
    return name


def _member(raw: Mapping[str, Any], name: str, *kinds: type) -> Any:  # noqa: ANN401 (JSON, whose type is checked here)
    value = raw.get(name)
    if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise ProviderError(
            Reason.MALFORMED_RESPONSE,
            f"malformed response: expected {expected} in `{name}`, got {type(value).__name__}",
        )
    return value


def _text(raw: Mapping[str, Any], name: str) -> str:
    # JSON may contain half of a surrogate pair, which cannot be encoded for pages, logs and the database.
    text: str = _member(raw, name, str) or ""
    return text.encode("utf-8", "replace").decode("utf-8")


def _time(raw: Mapping[str, Any], name: str, warnings: list[str], latest: float = _LATEST) -> float | None:
    value = _member(raw, name, int, float, str)
    if value is None:
        return None
    try:
        seconds = parse_timestamp(value).timestamp() if isinstance(value, str) else float(value)
    except (ValueError, OverflowError):
        seconds = 0.0
    if _EARLIEST <= seconds < latest:
        return seconds
    warnings.append(f"{name} {value!r} of job {raw.get('executionId')!r} is not a time between 2000 and now")
    return None


def _documents(metrics: Mapping[str, Any], execution_id: str, warnings: list[str]) -> DocumentCounts:
    counts = {}
    for kind in ("added", "modified", "deleted", "failed", "scanned"):
        name = f"documents{kind.capitalize()}"
        value = metrics.get(name)
        if value is None:
            continue
        if isinstance(value, str | int) and not isinstance(value, bool) and _COUNT.fullmatch(str(value)):
            counts[kind] = int(value)
        else:
            warnings.append(f"job {execution_id}: {name} {value!r} is not a count, ignored")
    return DocumentCounts(**counts)
