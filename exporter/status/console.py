"""Addresses in the AWS console: of containers, data sources, and the CloudWatch logs of sync jobs.

AWS does not document the addresses of the console. The addresses of a service are the ones that the console itself
shows. AWS's documentation of sync reports describes the parts of CloudWatch addresses: the log group, the log stream
and the query.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.domain.model import SourceId, SyncJob

_DOMAINS = (
    (re.compile(r"cn-\w+-\d+"), "console.amazonaws.cn"),
    (re.compile(r"us-gov-\w+-\d+"), "console.amazonaws-us-gov.com"),
    (re.compile(r"[a-z]{2}-[a-z]+-\d+"), "console.aws.amazon.com"),
)
"""The domains of the console by region, for the partitions aws-cn, aws-us-gov and aws."""

LOG_DELAY = 3600.0  # seconds after the end of a job in which its last documents are still logged


@lru_cache(maxsize=4096)  # all addresses of a data source contain its ids
def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _twice_quoted(text: str) -> str:
    """Return a text in the encoding of CloudWatch's log pages: quoted twice, with $ in place of %."""
    return _quoted(_quoted(text)).replace("%", "$")


def _text(text: str) -> str:
    """Return a text as a value of a Logs Insights address, which begins with a quote mark."""
    return "'" + _encoded(text)


def _encoded(text: str) -> str:
    """Return a text in the encoding of Logs Insights: quoted, with * in place of %."""
    return _quoted(text).replace("~", "%7E").replace("%", "*")


def _iso(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.000Z"


@lru_cache(maxsize=8)  # one query for each service; 1,000 data sources have up to 2,000 addresses with it
def _query_parts(query: str) -> tuple[str, str]:
    """Return the parts before and after the log stream in a query, encoded."""
    start, end = query.split("LOG_STREAM")
    return _text(start), _encoded(end)


class Console:
    """The AWS console of a region, with the resources of one data source."""

    def __init__(self, region: str, source: SourceId, domain: str) -> None:
        self._base = f"https://{region}.{domain}"
        self._region = region
        self._paths = source.service.console
        keys = (level.key for level in source.service.levels)
        self._ids = dict(zip(keys, source.path, strict=True))

    @classmethod
    def of(cls, region: str, source: SourceId) -> Console | None:
        """Return the console of a region; None for a region of a partition whose console is not public."""
        domain = next((domain for pattern, domain in _DOMAINS if pattern.fullmatch(region)), None)
        return cls(region, source, domain) if domain else None

    def root(self) -> str | None:
        """Return the address of the outermost container; None if it is unknown."""
        return self._address(self._paths.root)

    def data_source(self) -> str | None:
        """Return the address of the data source, with its sync history; None if it is unknown."""
        return self._address(self._paths.data_source)

    @property
    def has_logs(self) -> bool:
        """Whether the addresses of the logs of sync jobs are known."""
        return self._paths.log_group is not None and self._paths.log_stream is not None

    def log_stream(self, job: SyncJob) -> str:
        """Return the address of the log stream with one line for each document of a job."""
        group, stream = _twice_quoted(self._log_group), _twice_quoted(self._log_stream(job))
        return f"{self._cloudwatch}log-groups/log-group/{group}/log-events/{stream}"

    def failed_documents(self, job: SyncJob, now: float) -> str:
        """Return the address of a Logs Insights query for the failed documents of a job, which the user can run.

        It is limited to the time of the job, because CloudWatch charges for the data that a query scans.
        """
        until = job.end_or_start + LOG_DELAY if job.is_terminal else now
        start, end = _query_parts(self._paths.failed_documents_query)
        detail = "~".join(
            [
                f"(end~{_text(_iso(until))}",
                f"start~{_text(_iso(job.started))}",
                "timeType~'ABSOLUTE",
                "tz~'UTC",
                f"editorString~{start}{_encoded(self._log_stream(job))}{end}",
                f"source~(~{_text(self._log_group)}))",
            ]
        )
        return f"{self._cloudwatch}logs-insights$3FqueryDetail$3D~{detail}"

    def _address(self, path: str | None) -> str | None:
        if path is None:
            return None
        ids = {key: _quoted(identifier) for key, identifier in self._ids.items()}
        return self._base + path.format(region=self._region, **ids)

    @property
    def _cloudwatch(self) -> str:
        return f"{self._base}/cloudwatch/home?region={self._region}#logsV2:"

    @property
    def _log_group(self) -> str:
        return (self._paths.log_group or "").format(**self._ids)

    def _log_stream(self, job: SyncJob) -> str:
        return (self._paths.log_stream or "").format(execution_id=job.execution_id, **self._ids)


def console_links(
    region: str, source: SourceId, jobs: Iterable[SyncJob | None], now: float
) -> dict[str, object] | None:
    """Return the addresses of a data source and of its jobs' logs, as an object of the JSON API."""
    console = Console.of(region, source)
    if console is None:
        return None
    return {
        source.service.root.word: console.root(),
        "data_source": console.data_source(),
        "runs": {
            job.execution_id: {
                "log_stream": console.log_stream(job),
                "failed_documents": console.failed_documents(job, now),
            }
            for job in jobs
            if job is not None and console.has_logs
        },
    }
