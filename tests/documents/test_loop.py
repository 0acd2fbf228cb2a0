"""The count of documents on ticking time: order, failures, and the warning about a short interval."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from exporter.documents.loop import MAX_FIRST_WAIT, MAX_WAIT, DocumentLoop
from exporter.documents.queue import FIRST_RETRY, CountQueue
from exporter.domain.documents import Document
from exporter.domain.units import HOUR
from exporter.errors import ProviderError, Reason, StoppedError
from exporter.providers import DocumentPage
from exporter.runtime import AwsClock
from tests.support.builders import NOON, FakeClock, make_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.documents import DocumentsByStatus
    from exporter.domain.model import SourceId

A, B = (make_source(number).id for number in range(2))


class TickingEvent(threading.Event):
    """An event that is set at a time, on a clock that advances while a thread waits."""

    def __init__(self, clock: FakeClock, at: float) -> None:
        super().__init__()
        self._clock = clock
        self._at = at

    def is_set(self) -> bool:
        """Return whether the time has come."""
        return self._clock.now >= self._at

    def wait(self, timeout: float | None = None) -> bool:
        """Advance the clock."""
        self._clock.advance(min(timeout or 0.0, max(0.0, self._at - self._clock.now)))
        return self.is_set()


class InlineThread(threading.Thread):
    """A thread whose work is done within `start`."""

    def start(self) -> None:
        """Do the work."""
        self.run()


class InlineHost(FakeClock):
    """A host that runs threads within the test."""

    def thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Return a thread that does its work within `start`."""
        return InlineThread(target=work, name=name)


class PagedDocuments:
    """A provider of documents in pages of one, and the data sources whose counts are saved."""

    def __init__(self, clock: FakeClock, documents: dict[SourceId, list[str]], seconds: float = 1.0) -> None:
        """List documents with these statuses; each page takes some seconds."""
        self.clock = AwsClock(clock)
        self.statuses = documents
        self.found_at: dict[SourceId, float] = {}
        self.counted: dict[SourceId, DocumentsByStatus] = {}
        self.requests: list[tuple[SourceId, str]] = []
        self.errors: dict[int, BaseException] = {}
        self.failed: list[tuple[SourceId, Reason]] = []
        self.warnings: tuple[str, ...] = ()
        self._host = clock
        self._seconds = seconds

    def documents(self, source: SourceId, token: str | None = None) -> DocumentPage:
        """Return the page of a token, or raise the error of a request by its number."""
        self.requests.append((source, token or ""))
        self._host.advance(self._seconds)
        if error := self.errors.get(len(self.requests)):
            raise error
        page, statuses = int(token or 0), self.statuses[source]
        documents = tuple(Document(f"{page}", status) for status in statuses[page : page + 1])
        return DocumentPage(documents, str(page + 1) if page + 1 < len(statuses) else "", self.warnings)

    def documents_counted_at(self) -> dict[SourceId, float | None]:
        """Return when each source was counted that discovery has found so far."""
        found = [source for source in self.statuses if self.found_at.get(source, 0.0) <= self._host.now]
        return {source: self.counted[source].counted_at if source in self.counted else None for source in found}

    def save_documents(self, source: SourceId, documents: DocumentsByStatus) -> None:
        """Record the count."""
        self.counted[source] = documents

    def fail_documents(self, source: SourceId, error: ProviderError) -> None:
        """Record the reason of the failure."""
        self.failed.append((source, error.reason))


class LoopRig:
    """A document loop on ticking time."""

    def __init__(self, documents: dict[SourceId, list[str]], interval: float = HOUR, seconds: float = 1.0) -> None:
        self.host = InlineHost()
        self.service = PagedDocuments(self.host, documents, seconds)
        self.queue = CountQueue(interval)

    def run(self, seconds: float) -> list[Any]:
        """Count documents for some seconds, and return the log."""
        stopping = TickingEvent(self.host, self.host.now + seconds)
        service: Any = self.service
        loop = DocumentLoop("production", service, self.service, self.queue, self.host, stopping)
        with capture_logs() as logs:
            loop.start()
        return [line for line in logs if line["log_level"] != "debug"]


def test_documents_of_all_pages_are_counted_once_in_an_interval() -> None:
    """The time of a count is its end on AWS's clock."""
    rig = LoopRig({A: ["INDEXED", "FAILED", "INDEXED"], B: []})
    assert rig.run(HOUR - 10) == []
    assert len(rig.service.requests) == 4
    assert dict(rig.service.counted[A].counts)["INDEXED"] == 2
    assert rig.service.counted[A].failures == 1
    assert sum(count for _, count in rig.service.counted[B].counts) == 0
    assert rig.service.counted[A].counted_at == NOON + 3
    rig.run(60)
    assert len(rig.service.requests) == 8


def test_a_new_source_is_counted_without_waiting_for_the_interval() -> None:
    """Discovery may find it at any time."""
    rig = LoopRig({A: [], B: ["INDEXED"]})
    rig.service.found_at[B] = rig.host.now + 95
    rig.run(95 + MAX_WAIT + 2)
    assert [source for source, _ in rig.service.requests] == [A, B]


def test_the_first_sources_are_counted_soon_after_they_are_found() -> None:
    """The loop starts together with discovery, so it has no sources yet."""
    rig = LoopRig({A: ["INDEXED"]})
    rig.service.found_at[A] = rig.host.now + 4
    rig.run(4 + MAX_FIRST_WAIT + 2)
    assert A in rig.service.counted


def test_a_count_continues_after_a_failure() -> None:
    """Pages that were read are not requested again. Until then, no part of the count is published."""
    rig = LoopRig({A: ["INDEXED", "INDEXED", "FAILED"], B: ["INDEXED"]})
    rig.service.errors[2] = ProviderError(Reason.TIMEOUT, "timed out", operation="ListDocuments")
    logs = rig.run(FIRST_RETRY - 5)
    assert A not in rig.service.counted
    assert B in rig.service.counted
    assert [(line["event"], line["reason"]) for line in logs] == [("count of documents failing", "timeout")]
    assert rig.service.requests == [(A, ""), (A, "1"), (B, "")]


def test_a_count_that_continues_is_complete() -> None:
    """The log says that it works again."""
    rig = LoopRig({A: ["INDEXED", "INDEXED", "FAILED"]})
    rig.service.errors[2] = ProviderError(Reason.TIMEOUT, "timed out", operation="ListDocuments")
    logs = rig.run(2 * FIRST_RETRY)
    assert rig.service.requests == [(A, ""), (A, "1"), (A, "1"), (A, "2")]
    assert (dict(rig.service.counted[A].counts)["INDEXED"], rig.service.counted[A].failures) == (2, 1)
    assert [line["event"] for line in logs] == ["count of documents failing", "count of documents works again"]


@pytest.mark.parametrize("reason", [Reason.INVALID_REQUEST, Reason.PAGINATION])
def test_a_count_starts_over_if_its_page_token_is_useless(reason: Reason) -> None:
    """AWS may not accept the token after a long outage. Documents of the first attempt are not counted twice."""
    rig = LoopRig({A: ["INDEXED", "INDEXED"]})
    rig.service.errors[2] = ProviderError(reason, "token", operation="ListDocuments")
    rig.run(2 * FIRST_RETRY)
    assert rig.service.requests == [(A, ""), (A, "1"), (A, ""), (A, "1")]
    assert dict(rig.service.counted[A].counts)["INDEXED"] == 2


def test_a_reason_is_logged_once_and_credentials_are_not() -> None:
    """Failing credentials concern the whole target, which logs them."""
    rig = LoopRig({A: []}, interval=60.0)
    rig.service.errors = {
        **{number: ProviderError(Reason.ACCESS_DENIED, "no", operation="ListDocuments") for number in range(1, 4)},
        **{number: ProviderError(Reason.CREDENTIALS, "no", operation="ListDocuments") for number in range(4, 7)},
    }
    logs = rig.run(FIRST_RETRY * 7)
    assert A in rig.service.counted
    assert [(line["event"], line.get("reason")) for line in logs] == [("count of documents failing", "access_denied")]


def test_a_bug_does_not_end_the_counts() -> None:
    """The traceback is logged, and the other source is counted."""
    rig = LoopRig({A: [], B: []})
    rig.service.errors[1] = ZeroDivisionError()
    logs = rig.run(50)
    assert list(rig.service.counted) == [B]
    assert logs[0]["event"] == "count of documents failed with an unexpected exception"


def test_a_stop_ends_a_count_in_progress() -> None:
    """The rate limiter raises StoppedError, which is not a failure."""
    rig = LoopRig({A: ["INDEXED"] * 5})
    rig.service.errors[3] = StoppedError()
    assert rig.run(HOUR) == []
    assert (len(rig.service.requests), rig.service.counted) == (3, {})


def test_a_removed_source_is_forgotten() -> None:
    """If it returns, its count begins with the first page."""
    rig = LoopRig({A: ["INDEXED", "INDEXED"], B: []})
    rig.service.errors[2] = ProviderError(Reason.TIMEOUT, "timed out")
    rig.run(20)
    statuses = rig.service.statuses.pop(A)
    rig.run(MAX_WAIT + 1)
    rig.service.statuses[A] = statuses
    rig.run(MAX_WAIT + 3)
    assert [token for source, token in rig.service.requests if source == A] == ["", "1", "", "1"]


@pytest.mark.parametrize(("interval", "warnings"), [(60.0, 1), (HOUR, 0)])
def test_an_interval_that_is_too_short_is_stretched_with_one_warning(interval: float, warnings: int) -> None:
    """All counts together take 200 seconds. The data sources are counted one after the other, without a pause."""
    rig = LoopRig({A: ["INDEXED"] * 10, B: ["INDEXED"] * 10}, interval, seconds=10.0)
    logs = rig.run(1000)
    assert sum("documents.interval too short" in line["event"] for line in logs) == warnings
    if warnings:
        assert [source for source, token in rig.service.requests if not token] == [A, B] * 5


def test_unusable_entries_are_logged_once_for_each_count() -> None:
    """The count continues without them."""
    rig = LoopRig({A: ["INDEXED"] * 3})
    rig.service.warnings = ("entry without status ignored",) * 2
    assert [line["event"] for line in rig.run(60)] == ["unusable data in the response"]
