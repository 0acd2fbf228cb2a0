"""The life of a sync job: the API's response about it at any time, as a pure function of time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

DOCUMENT_KINDS = ("added", "modified", "deleted", "failed", "scanned")
TERMINAL = ("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED")
STATUSES = ("FAILED", "SUCCEEDED", "SYNCING", "INCOMPLETE", "STOPPING", "ABORTED", "SYNCING_INDEXING")


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A whole sync job: it crawls, then it indexes, then it ends.

    A job without an outcome never ends. An ABORTED job is STOPPING in its last part, and a FAILED job never indexes.
    `stopping_seconds` are seconds of STOPPING between crawling and indexing, which is normal for a CUSTOM data source.
    `documents` are the final counts; the API never reports a kind that is missing. `overrides` replaces members of the
    API's response, and None removes one.
    """

    execution_id: str
    started: float
    crawl_seconds: float = 60.0
    index_seconds: float = 30.0
    outcome: str | None = "SUCCEEDED"
    documents: dict[str, int] = field(default_factory=dict)
    error_code: str | None = None
    error_message: str | None = None
    source_error: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    stopping_seconds: float = 0.0

    @property
    def ends(self) -> float:
        """Return the time at which the job ends, in seconds since the epoch."""
        return math.inf if self.outcome is None else self.started + self._duration

    @property
    def _duration(self) -> float:
        return self.crawl_seconds + self.stopping_seconds + self.index_seconds

    def status(self, now: float) -> str:
        """Return the job's status at a time."""
        if self.outcome is not None and now >= self.ends:
            return self.outcome
        if self.outcome in {None, "FAILED"} or now < self.started + self.crawl_seconds:
            return "SYNCING"
        stopping = self.outcome == "ABORTED" or now < self.started + self.crawl_seconds + self.stopping_seconds
        return "STOPPING" if stopping else "SYNCING_INDEXING"

    def document_counts(self, now: float) -> dict[str, int]:
        """Return the counts at a time: scanned documents grow while the job crawls, all others until it ends."""
        crawled, done = self._share(self.crawl_seconds, now), self._share(self._duration, now)
        return {kind: int(final * (crawled if kind == "scanned" else done)) for kind, final in self.documents.items()}

    def _share(self, seconds: float, now: float) -> float:
        # The comparison uses the same sum as `ends`. A rounded quotient can be slightly below 1 for a job that ended.
        return 1.0 if now >= self.started + seconds else max(0.0, now - self.started) / seconds

    def to_json(self, now: float) -> dict[str, Any] | None:
        """Return the API's entry for the job at a time, or None before its start."""
        if now < self.started:
            return None
        status = self.status(now)
        entry: dict[str, Any] = {
            "executionId": self.execution_id,
            "startTime": round(self.started, 3),
            "status": status,
            "error": {},
        }
        if self.documents:
            counts = self.document_counts(now)
            entry["metrics"] = {f"documents{kind.capitalize()}": str(count) for kind, count in counts.items()}
        if status in TERMINAL:
            entry["endTime"] = round(self.ends, 3)
            entry["error"] = _without_none({"errorCode": self.error_code, "errorMessage": self.error_message})
            entry["dataSourceErrorCode"] = self.source_error
        elif status == "SYNCING_INDEXING":
            # Observed at AWS: an indexing job already has an end time, which is later in each response.
            entry["endTime"] = round(now, 3)
        return _without_none({**entry, **self.overrides})


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
