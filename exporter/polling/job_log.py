"""The fields of the log line of a sync job that has ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.domain.model import SyncJob


def job_fields(job: SyncJob) -> dict[str, object]:
    """Return everything that AWS reports of a job; fields without a value are left out."""
    fields: dict[str, object] = {
        "execution_id": job.execution_id,
        "status": job.status,
        "started": format_time(job.started),
        "ended": format_time(job.ended),
        "duration_seconds": job.duration,
        **{f"documents_{kind}": count for kind, count in job.documents.items()},
        "error_code": job.error_code,
        "connector_error_code": job.connector_error,
        "data_source_error_code": job.data_source_error_code,
        "error": job.error_message,
    }
    return {name: value for name, value in fields.items() if value not in (None, "")}


def format_time(time: float | None) -> str | None:
    """Return a time in UTC, as in all log lines; None without one."""
    return None if time is None else datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
