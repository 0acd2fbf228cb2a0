"""The life of a sync job: what the API says of it at any moment, as a pure function of time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

KINDS = ("added", "modified", "deleted", "failed", "scanned")
TERMINAL = ("SUCCEEDED", "INCOMPLETE", "FAILED", "ABORTED")
STATUSES = ("FAILED", "SUCCEEDED", "SYNCING", "INCOMPLETE", "STOPPING", "ABORTED", "SYNCING_INDEXING")


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job's whole life: it crawls, then it indexes, then it ends; seconds throughout.

    A job without outcome goes on for ever. One that is ABORTED is STOPPING for the last part of its life, one that is
    FAILED never gets to indexing. `stops` are seconds of STOPPING between crawling and indexing: the normal way of a
    CUSTOM source. `documents` are the figures it ends with; a kind that is missing is never said. `odd` replaces
    members of the API's answer, None takes one away.
    """

    execution_id: str
    started: float
    crawls: float = 60.0
    indexes: float = 30.0
    outcome: str | None = "SUCCEEDED"
    documents: dict[str, int] = field(default_factory=dict)
    error_code: str | None = None
    error_message: str | None = None
    source_error: str | None = None
    odd: dict[str, Any] = field(default_factory=dict)
    stops: float = 0.0

    @property
    def ends(self) -> float:
        """Give the moment at which it ends."""
        return math.inf if self.outcome is None else self.started + self._whole

    @property
    def _whole(self) -> float:
        return self.crawls + self.stops + self.indexes

    def status(self, now: float) -> str:
        """Give its status at a moment."""
        if self.outcome is not None and now >= self.ends:
            return self.outcome
        if self.outcome in {None, "FAILED"} or now < self.started + self.crawls:
            return "SYNCING"
        stopping = self.outcome == "ABORTED" or now < self.started + self.crawls + self.stops
        return "STOPPING" if stopping else "SYNCING_INDEXING"

    def figures(self, now: float) -> dict[str, int]:
        """Give its document figures at a moment: what is scanned grows while it crawls, all else until it ends."""
        crawled, done = self._share(self.crawls, now), self._share(self._whole, now)
        return {kind: int(final * (crawled if kind == "scanned" else done)) for kind, final in self.documents.items()}

    def _share(self, seconds: float, now: float) -> float:
        # Held against the same sum as `ends`: a rounded quotient could be a hair short of 1 on a job that has ended.
        return 1.0 if now >= self.started + seconds else max(0.0, now - self.started) / seconds

    def at(self, now: float) -> dict[str, Any] | None:
        """Give what the API says of it at a moment; None before it has begun."""
        if now < self.started:
            return None
        status = self.status(now)
        answer: dict[str, Any] = {
            "executionId": self.execution_id,
            "startTime": round(self.started, 3),
            "status": status,
            "error": {},
        }
        if self.documents:
            answer["metrics"] = {f"documents{kind.capitalize()}": str(n) for kind, n in self.figures(now).items()}
        if status in TERMINAL:
            answer["endTime"] = round(self.ends, 3)
            answer["error"] = _without_none({"errorCode": self.error_code, "errorMessage": self.error_message})
            answer["dataSourceErrorCode"] = self.source_error
        elif status == "SYNCING_INDEXING":
            # Seen at AWS: a job that still indexes has an end already, and a later one each time it is looked at.
            answer["endTime"] = round(now, 3)
        return _without_none({**answer, **self.odd})


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
