"""Parsing of sync jobs. Their members have the same meaning in all services, but different names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from exporter.domain.connector_codes import connector_code
from exporter.domain.model import DocumentCounts, SyncJob
from exporter.errors import ProviderError, Reason
from exporter.providers.members import seconds, structure, text
from exporter.providers.protocols import JobPage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.runtime import AwsClock

T = TypeVar("T")
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
    parsed = [parse_job(raw, names, now, warnings) for raw in _entries(page, key)]
    jobs = tuple(job for job in parsed if job)
    return JobPage(jobs, as_of, bool(page.get(token)), tuple(warnings), len(jobs) == len(parsed))


def _entries(page: Mapping[str, Any], key: str) -> list[Any]:
    """Return the entries of a page; raise ProviderError if there are only entries of another type than objects."""
    entries: list[Any] = page[key]
    others = [entry for entry in entries if entry is not None and not isinstance(entry, dict)]
    if others and not any(isinstance(entry, dict) for entry in entries):
        problem = f"malformed response: expected objects in `{key}`, got {type(others[0]).__name__}"
        raise ProviderError(Reason.MALFORMED_RESPONSE, problem)
    return entries


def parse_job(raw: object, names: JobMembers, now: float, warnings: list[str]) -> SyncJob | None:
    """Return a job, or None with a warning if it is not an object or lacks id, status or start.

    `now` is the time of the response. A member of the wrong type is treated as missing, so that the other jobs of the
    page are used. Append to `warnings`.
    """
    if not isinstance(raw, dict):
        warnings.append(f"job skipped: expected an object, got {type(raw).__name__}")
        return None
    latest, owner = now + _MAX_CLOCK_ERROR, f"job {raw.get(names.execution_id)!r}"

    def usable(read: Callable[..., T], members: Mapping[str, Any], name: str, *details: Any) -> T:  # noqa: ANN401
        try:
            return read(members, name, *details)
        except ProviderError as error:
            warnings.append(f"{owner}: {error}, ignored")
            return read({}, name)

    execution_id, status = usable(text, raw, names.execution_id), usable(text, raw, names.status)
    started = usable(seconds, raw, names.started, warnings, latest, owner)
    if not execution_id or not status or started is None:
        required = {names.execution_id: execution_id, names.status: status, names.started: started}
        missing = [name for name, value in required.items() if not value]
        warnings.append(f"job {execution_id or 'without id'} skipped: no usable {', '.join(missing)}")
        return None
    ended = usable(seconds, raw, names.ended, warnings, latest, owner)
    if ended is not None and ended < started:
        warnings.append(f"job {execution_id}: {names.ended} {ended} is before {names.started} {started}, ignored")
        ended = None
    error = raw if names.error is None else usable(structure, raw, names.error)
    message, source_code = usable(text, error, names.error_message), usable(text, raw, names.connector_error)
    return SyncJob(
        execution_id=execution_id,
        status=status,
        started=started,
        ended=ended,
        documents=_counts(usable(structure, raw, names.metrics), names.counts, execution_id, warnings),
        error_code=usable(text, error, names.error_code),
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
        number = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(number, str | int) and not isinstance(number, bool) and _COUNT.fullmatch(str(number)):
            counts[kind] = int(number)
        else:
            warnings.append(f"job {execution_id}: {name} {value!r} is not a count, ignored")
    return DocumentCounts(**counts)
