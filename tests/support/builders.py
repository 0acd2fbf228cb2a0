"""Builders and clocks that the tests share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.domain.counting.counting_policy import CountingPolicy
from exporter.domain.counting.history import fold
from exporter.domain.counting.source_history import PollData
from exporter.domain.model import ContainerId, DataSource, DocumentCounts, SourceId, SyncJob
from exporter.domain.units import HOUR
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.runtime import System

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.domain.counting.source_history import SourceHistory
    from exporter.exposition import Exposition

BUCKETS = (60.0, 300.0, 900.0, 3600.0)
NOON = 1_790_000_000.0  # an arbitrary time, in seconds since the epoch, at a full second
POLICY = CountingPolicy(24 * HOUR, BUCKETS, QBUSINESS.error_codes)


@dataclass
class FakeClock(System):
    """A clock that changes only when a test advances it."""

    now: float = 1000.0
    wall: float = NOON

    def monotonic(self) -> float:
        """Return the monotonic time."""
        return self.now

    def time(self) -> float:
        """Return the wall-clock time."""
        return self.wall

    def advance(self, seconds: float) -> None:
        """Advance both times."""
        self.now += seconds
        self.wall += seconds


def make_job(
    name: str = "a",
    status: str = "SUCCEEDED",
    started: float = NOON,
    lasted: float | None = 600.0,
    **documents: int,
) -> SyncJob:
    """Build a job; `lasted` is None for a job without an end time."""
    return SyncJob(
        execution_id=name.ljust(36, "-"),
        status=status,
        started=started,
        ended=None if lasted is None else started + lasted,
        documents=DocumentCounts(**documents),
    )


def make_poll(*jobs: SyncJob, at: float = NOON, vanished: Iterable[str] = ()) -> PollData:
    """Build the data of a poll at a time."""
    return PollData(jobs, at, at, frozenset(vanished))


def fold_polls(*polls: PollData, policy: CountingPolicy = POLICY) -> SourceHistory:
    """Fold polls one after the other, and return the history."""
    history = None
    for poll in polls:
        history = fold(history, poll, policy)
    assert history is not None
    return history


def source_id(*path: str) -> SourceId:
    """Build the identity of a data source of Amazon Q Business: application, index and data source."""
    return SourceId(QBUSINESS, path)


def container_id(*path: str) -> ContainerId:
    """Build the identity of an application or index of Amazon Q Business."""
    return ContainerId(QBUSINESS, path)


def make_source(number: int = 1, target: str = "production", **names: str) -> DataSource:
    """Build a data source; sources with different numbers have different ids."""
    ids = (f"{kind}{number:04}".ljust(36, "0") for kind in ("app", "idx", "src"))
    return DataSource(target, source_id(*ids), names.get("root"), names.get("name"))


def scrape(page: Exposition, accept: str = "", accept_encoding: str = "") -> tuple[bytes, dict[str, str]]:
    """Return the body of a page in one piece, and its headers."""
    pieces, headers = page.render(accept, accept_encoding)
    return b"".join(pieces), headers
