"""Builders and clocks that the tests share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.domain.history import CountingPolicy
from exporter.domain.model import DataSource, DocumentCounts, SourceId, SyncJob
from exporter.runtime import System

if TYPE_CHECKING:
    from exporter.exposition import Exposition

HOUR = 3600.0
BUCKETS = (60.0, 300.0, 900.0, 3600.0)
NOON = 1_790_000_000.0  # some moment, in seconds since the epoch, at a full second
POLICY = CountingPolicy(window=24 * HOUR, duration_buckets=BUCKETS)


@dataclass
class FakeClock(System):
    """A clock that stands still until it is moved."""

    now: float = 1000.0
    wall: float = NOON

    def monotonic(self) -> float:
        """Give the time since some beginning."""
        return self.now

    def time(self) -> float:
        """Give the host's time of day."""
        return self.wall

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.wall += seconds


def make_job(
    name: str = "a",
    status: str = "SUCCEEDED",
    started: float = NOON,
    lasted: float | None = 600.0,
    **documents: int,
) -> SyncJob:
    """Build a job; `lasted` None is one whose end AWS does not say."""
    return SyncJob(
        execution_id=name.ljust(36, "-"),
        status=status,
        started=started,
        ended=None if lasted is None else started + lasted,
        documents=DocumentCounts(**documents),
    )


def make_source(number: int = 1, target: str = "production", **names: str) -> DataSource:
    """Build a data source; its ids are told apart by a number."""
    ids = (f"{kind}{number:04}".ljust(36, "0") for kind in ("app", "idx", "src"))
    return DataSource(target, SourceId(*ids), names.get("application"), names.get("name"))


def scrape(page: Exposition, accept: str = "", accept_encoding: str = "") -> tuple[bytes, dict[str, str]]:
    """Give the body of a page in one piece, and its headers."""
    pieces, headers = page.render(accept, accept_encoding)
    return b"".join(pieces), headers
