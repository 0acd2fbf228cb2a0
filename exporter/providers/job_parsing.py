"""Parsing of sync jobs. Their members have the same meaning in all services, but different names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.domain.connector_codes import connector_code
from exporter.domain.model import DocumentCounts, SyncJob
from exporter.providers.members import seconds, structure, text
from exporter.providers.protocols import JobPage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.runtime import AwsClock

_COUNT = re.compile(r"0|[1-9][0-9]{0,11}")
# The seconds by which a job may be in the future. A success a year ahead would remain the last one for a year.
_MAX_CLOCK_ERROR = 300.0


@dataclass(frozen=True, slots=True)
class JobMembers:
    """The names of the members of a sync job.

    If `error` is None, the job itself has the members of its error. If their names are empty, the service has none.
    """

    execution_id: str
    status: str
    started: str
    ended: str
    metrics: str
    counts: Mapping[str, str]
    """The members of `metrics` by the kind of documents, such as `added`."""
    error: str | None = None
    error_code: str = ""
    error_message: str = ""
    connector_error: str = ""


def parse_job_page(page: Mapping[str, Any], key: str, token: str, names: JobMembers, clock: AwsClock) -> JobPage:
    """Return a page of sync jobs; `key` is the member with the jobs, `token` that with the page token."""
    headers = page.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    as_of = clock.update(headers.get("date", ""))
    warnings: list[str] = []
    # The times of jobs can prove that the Date header is behind. So they must not be ignored if they are later than the
    # Date.
    now = max(as_of, clock.host_time())
    parsed = [parse_job(raw, names, now, warnings) if raw is not None else None for raw in page[key]]
    jobs = tuple(job for job in parsed if job)
    return JobPage(jobs, as_of, bool(page.get(token)), tuple(warnings), len(jobs) == len(parsed))


def parse_job(raw: Mapping[str, Any], names: JobMembers, now: float, warnings: list[str]) -> SyncJob | None:
    """Return a job, or None with a warning if it lacks its id, status or start.

    `now` is the time of the response. Append to `warnings`; raise ProviderError for a member of the wrong type.
    """
    execution_id, status = text(raw, names.execution_id), text(raw, names.status)
    latest, owner = now + _MAX_CLOCK_ERROR, f"job {raw.get(names.execution_id)!r}"
    started = seconds(raw, names.started, warnings, latest, owner)
    if not execution_id or not status or started is None:
        required = {names.execution_id: execution_id, names.status: status, names.started: started}
        missing = [name for name, value in required.items() if not value]
        warnings.append(f"job {execution_id or 'without id'} skipped: no usable {', '.join(missing)}")
        return None
    ended = seconds(raw, names.ended, warnings, latest, owner)
    if ended is not None and ended < started:
        warnings.append(f"job {execution_id}: {names.ended} {ended} is before {names.started} {started}, ignored")
        ended = None
    error = raw if names.error is None else structure(raw, names.error)
    message, source_code = text(error, names.error_message), text(raw, names.connector_error)
    return SyncJob(
        execution_id=execution_id,
        status=status,
        started=started,
        ended=ended,
        documents=_counts(structure(raw, names.metrics), names.counts, execution_id, warnings),
        error_code=text(error, names.error_code),
        error_message=message,
        connector_error=connector_code(source_code, message),
        data_source_error_code=source_code,
    )


def _counts(
    metrics: Mapping[str, Any], names: Mapping[str, str], execution_id: str, warnings: list[str]
) -> DocumentCounts:
    counts = {}
    for kind, name in names.items():
        value = metrics.get(name)
        if value is None:
            continue
        if isinstance(value, str | int) and not isinstance(value, bool) and _COUNT.fullmatch(str(value)):
            counts[kind] = int(value)
        else:
            warnings.append(f"job {execution_id}: {name} {value!r} is not a count, ignored")
    return DocumentCounts(**counts)
