"""Amazon Q Business: its operations, and what its answers mean in our words (API reference, version 2023-11-27)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.utils import parse_timestamp

from exporter.errors import ProviderError, Reason
from exporter.model import DocumentCounts, SyncJob
from exporter.providers import JobPage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.aws import AwsClock, Connection
    from exporter.model import SourceId

PAGE_SIZE = 10  # the operation's maximum
MAX_PAGES = 1000  # of one listing: ten thousand jobs; a listing that goes on has lost its way

_CONNECTOR_ERROR = re.compile(r"\b[A-Z][A-Z0-9]{1,5}-\d{4}\b")
_FIGURE = re.compile(r"0|[1-9][0-9]{0,11}")
# Outside these years a time is a mistake; milliseconds taken for seconds land far above.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
_LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


class QBusiness:
    """A target's data sources, asked through boto3."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def clock(self) -> AwsClock:
        """Give AWS's clock as this target's answers set it."""
        return self._connection.clock

    def sync_jobs(
        self,
        source: SourceId,
        *,
        since: float | None = None,
        status: str | None = None,
    ) -> Iterator[JobPage]:
        """Yield the pages of ListDataSourceSyncJobs; raises ProviderError, also for tokens that lead in a circle."""
        filters: dict[str, Any] = {}
        if since is not None:
            filters["startTime"] = datetime.fromtimestamp(since, UTC)
        if status is not None:
            filters["statusFilter"] = status
        operation = "ListDataSourceSyncJobs"
        with self._connection.calling(operation) as client:
            pages = client.get_paginator("list_data_source_sync_jobs").paginate(
                **_ids(source),
                **filters,
                PaginationConfig={"PageSize": PAGE_SIZE},
            )
            tokens: set[str] = set()
            for page in pages:
                token = page.get("nextToken")
                if token in tokens or len(tokens) >= MAX_PAGES:
                    raise ProviderError(Reason.PAGINATION, f"page {len(tokens) + 1} leads back or has no end")
                if token:
                    tokens.add(token)
                yield _page(page, self.clock)

    def application_name(self, application_id: str) -> str:
        """Ask GetApplication for a display name."""
        with self._connection.calling("GetApplication") as client:
            return _display_name(client.get_application(applicationId=application_id))

    def data_source_name(self, source: SourceId) -> str:
        """Ask GetDataSource for a display name; the connector configuration beside it goes no further."""
        with self._connection.calling("GetDataSource") as client:
            return _display_name(client.get_data_source(**_ids(source)))


def parse_job(raw: Mapping[str, Any], warnings: list[str]) -> SyncJob | None:
    """Read one job; None, with a warning, where it cannot be told apart or placed in time.

    Raises ProviderError for a member of the wrong type: such an answer is not to be trusted.
    """
    execution_id, status = _text(raw, "executionId"), _text(raw, "status")
    started = _time(raw, "startTime", warnings)
    if not execution_id or not status or started is None:
        lacks = [n for n, v in (("executionId", execution_id), ("status", status), ("startTime", started)) if not v]
        warnings.append(f"job {execution_id or 'without id'} skipped: no usable {', '.join(lacks)}")
        return None
    ended = _time(raw, "endTime", warnings)
    if ended is not None and ended < started:
        warnings.append(f"job {execution_id}: endTime {ended} is before startTime {started}; taken as not said")
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
        error_message=message or source_code,
        connector_error=_connector_error(source_code, message),
    )


def _page(page: Mapping[str, Any], clock: AwsClock) -> JobPage:
    headers = page.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    as_of = clock.note(headers.get("date", ""))
    warnings: list[str] = []
    jobs = (parse_job(raw, warnings) for raw in page["history"] if raw is not None)
    return JobPage(tuple(job for job in jobs if job), as_of, bool(page.get("nextToken")), tuple(warnings))


def _ids(source: SourceId) -> dict[str, Any]:
    return {
        "applicationId": source.application_id,
        "indexId": source.index_id,
        "dataSourceId": source.data_source_id,
    }


def _display_name(answer: Mapping[str, Any]) -> str:
    name = _text(answer, "displayName")
    if not name:
        raise ProviderError(Reason.MALFORMED_RESPONSE, "the answer has no displayName")
    return name


def _member(raw: Mapping[str, Any], name: str, *kinds: type) -> Any:  # noqa: ANN401 (JSON: checked here, and only here)
    value = raw.get(name)
    if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise ProviderError(
            Reason.MALFORMED_RESPONSE,
            f"the answer has a {type(value).__name__} where `{name}` ({expected}) belongs",
        )
    return value


def _text(raw: Mapping[str, Any], name: str) -> str:
    # JSON lets half a surrogate pair through; no page, log or database takes it.
    text: str = _member(raw, name, str) or ""
    return text.encode("utf-8", "replace").decode("utf-8")


def _time(raw: Mapping[str, Any], name: str, warnings: list[str]) -> float | None:
    value = _member(raw, name, int, float, str)
    if value is None:
        return None
    try:
        seconds = parse_timestamp(value).timestamp() if isinstance(value, str) else float(value)
    except (ValueError, OverflowError):
        seconds = 0.0
    if _EARLIEST <= seconds < _LATEST:
        return seconds
    warnings.append(f"{name} {value!r} of job {raw.get('executionId')!r} is no time between 2000 and 2100")
    return None


def _documents(metrics: Mapping[str, Any], execution_id: str, warnings: list[str]) -> DocumentCounts:
    figures = {}
    for kind in ("added", "modified", "deleted", "failed", "scanned"):
        name = f"documents{kind.capitalize()}"
        value = metrics.get(name)
        if value is None:
            continue
        if isinstance(value, str | int) and not isinstance(value, bool) and _FIGURE.fullmatch(str(value)):
            figures[kind] = int(value)
        else:
            warnings.append(f"job {execution_id}: {name} {value!r} is not a count; taken as not said")
    return DocumentCounts(**figures)


def _connector_error(source_code: str, message: str) -> str:
    # Where it arrives is not documented: seen in the code, and in the middle of the message.
    found = _CONNECTOR_ERROR.search(source_code) or _CONNECTOR_ERROR.search(message)
    return found[0] if found else ""
