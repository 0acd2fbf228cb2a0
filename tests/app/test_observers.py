"""How the requests of a target use its rate limit."""

from __future__ import annotations

import threading
from contextvars import copy_context
from itertools import pairwise

import pytest

from exporter.app.observers import PollRecorder, RequestRecorder
from exporter.app.reachability import POLL_VALIDITY, Reachability
from exporter.aws.rate_limiter import RateLimiter
from exporter.domain.model import DataSource
from exporter.errors import StoppedError
from exporter.metrics.telemetry import Telemetry
from exporter.polling.pass_log import PassLog
from exporter.polling.workers import Heartbeat
from exporter.providers.bedrock.service import BEDROCK
from exporter.target.reporting_gate import ReportingGate
from tests.support.builders import FakeClock, source_id

JOBS, JOB, DOCUMENTS = "ListIngestionJobs", "GetIngestionJob", "ListKnowledgeBaseDocuments"
LISTING = "ListKnowledgeBases"


class TickingStop(threading.Event):
    """An event that is never set, on a clock that advances while a thread waits for it."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        """Advance the clock."""
        self._clock.advance(max(0.0, timeout or 0.0))
        return False


class RecorderRig:
    """The recorder of a target with one request per second."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.limiter = RateLimiter(1.0, self.clock, TickingStop(self.clock))
        metrics = Telemetry(process_metrics=False).targets
        self.others_polled, self.has_others = 0, False
        self.reachability = Reachability("test", metrics, self.clock, self.poll_another)
        self.heartbeat, self.gate = Heartbeat(self.clock), ReportingGate()
        self.recorder = RequestRecorder(
            "test",
            self.limiter,
            metrics,
            PassLog("test", self.clock),
            self.reachability,
            self.heartbeat,
            self.gate,
            BEDROCK.background_operations,
            BEDROCK.optional_operations,
            JOBS,
        )
        self.polls = PollRecorder("test", metrics, PassLog("test", self.clock), self.reachability, self.gate)

    def poll_another(self) -> bool:
        """Count the polls of other data sources, if there are any."""
        self.others_polled += self.has_others
        return self.has_others

    def polled(self, source: str, code: str) -> bool | None:
        """Poll a data source, and return whether the target is up."""
        recorder = copy_context()
        recorder.run(self.polls.began, DataSource("test", source_id(source)))
        recorder.run(self.recorder.finished, JOBS, code, 0.1)
        return self.reachability.is_up

    def sent_at(self, operation: str) -> float:
        """Send a request, and return the seconds since the first one."""
        self.recorder.acquire(operation)
        return self.clock.now - 1000.0


def test_a_poll_never_waits_for_a_listing_of_documents() -> None:
    """Listings of documents take the time slots that polls have left."""
    rig = RecorderRig()
    assert rig.sent_at(JOBS) == 0.0
    documents = [rig.sent_at(DOCUMENTS) for _ in range(3)]
    assert documents[0] == 2.0
    assert [later - earlier for earlier, later in pairwise(documents)] == [1.0, 1.0]
    assert rig.sent_at(JOBS) == 4.0
    assert rig.sent_at(JOBS) == 5.0


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "timeout"])
def test_a_failed_listing_of_documents_affects_no_poll(code: str) -> None:
    """Neither the allowed rate nor the reachability changes. The listing does not count as activity of polls."""
    rig = RecorderRig()
    rig.recorder.finished(JOBS, "200", 0.1)
    rig.clock.advance(60.0)
    rig.recorder.finished(DOCUMENTS, code, 0.1)
    assert (rig.limiter.allowed_rate(), rig.reachability.is_up, rig.heartbeat.silence()) == (1.0, True, 60.0)


@pytest.mark.parametrize(
    ("operation", "code", "is_up"),
    [
        (JOB, "AccessDeniedException", True),
        (JOB, "ExpiredTokenException", False),
        (JOB, "timeout", False),
        (JOBS, "AccessDeniedException", False),
    ],
)
def test_a_target_is_up_while_only_a_permission_that_may_be_missing_is_denied(
    operation: str, code: str, *, is_up: bool
) -> None:
    """Polls succeed without the outcome of a job. Its request is often the last one for half an hour."""
    rig = RecorderRig()
    rig.recorder.finished(JOBS, "200", 0.1)
    rig.recorder.finished(operation, code, 0.1)
    assert rig.reachability.is_up is is_up


@pytest.mark.parametrize(
    ("codes", "is_up"),
    [
        (["503"], False),
        (["503", "InternalServerException"], True),
        (["200", "503"], True),
        (["timeout", "503"], False),
    ],
)
def test_an_error_of_a_proxy_does_not_change_whether_a_target_is_up(codes: list[str], *, is_up: bool) -> None:
    """It does not come from AWS, so the request was not authorized. A target is down until one is."""
    rig = RecorderRig()
    for code in codes:
        rig.recorder.finished(JOBS, code, 0.1)
    assert rig.reachability.is_up is is_up
    assert bool(rig.reachability.last_error) is not is_up


@pytest.mark.parametrize("before", [[], ["200"], ["timeout"]])
def test_a_page_in_html_does_not_change_whether_a_target_is_up(before: list[str]) -> None:
    """A login page has status 200, and no request of the target has reached AWS."""
    rig = RecorderRig()
    for code in before:
        rig.recorder.finished(JOBS, code, 0.1)
    rig.recorder.finished(JOBS, "200", 0.1, is_usable=False)
    assert bool(rig.reachability.is_up) is (before == ["200"])
    assert rig.reachability.last_error == ("" if rig.reachability.is_up else f"{JOBS}: malformed response")


@pytest.mark.parametrize(
    ("attempts", "is_up"),
    [
        ([(LISTING, "200"), (LISTING, "AccessDeniedException")], False),
        ([(JOBS, "200"), (LISTING, "AccessDeniedException")], True),
        ([(JOBS, "200"), (LISTING, "ExpiredTokenException")], False),
        ([(JOBS, "200"), (LISTING, "connection")], False),
        ([(JOBS, "200"), (LISTING, "connection"), (LISTING, "200")], True),
        ([(JOBS, "AccessDeniedException"), (LISTING, "200")], False),
        ([(JOBS, "AccessDeniedException"), (JOBS, "200"), (LISTING, "AccessDeniedException")], True),
    ],
)
def test_the_permission_to_poll_decides(attempts: list[tuple[str, str]], *, is_up: bool) -> None:
    """The critical alert on targets neither fires while polls succeed, nor resolves while they are denied."""
    rig = RecorderRig()
    for operation, code in attempts:
        rig.clock.advance(60.0)
        rig.recorder.finished(operation, code, 0.1)
    assert rig.reachability.is_up is is_up


@pytest.mark.parametrize("code", ["timeout", "connection", "AccessDeniedException", "403"])
def test_one_data_source_that_fails_leaves_the_target_up(code: str) -> None:
    """To check this, another one is polled once an hour. Without another one, the target is down."""
    rig = RecorderRig()
    rig.has_others = True
    assert rig.polled("fine", "200")
    for _ in range(3):
        assert rig.polled("failing", code)
        assert rig.polled("failing", code)
        assert rig.others_polled == 1
        assert rig.polled("fine", "200")
    rig.clock.advance(POLL_VALIDITY)
    assert rig.polled("failing", code)
    assert rig.others_polled == 2
    rig.clock.advance(POLL_VALIDITY)
    rig.has_others = False
    assert not rig.polled("failing", code)


@pytest.mark.parametrize("code", ["timeout", "connection", "AccessDeniedException", "403"])
def test_a_target_is_down_when_a_second_data_source_fails(code: str) -> None:
    """The source that failed first does not count as the second one. A response brings the target up again."""
    rig = RecorderRig()
    rig.has_others = True
    assert rig.polled("fine", "200")
    assert rig.polled("first", code)
    assert rig.polled("fine", "200")
    assert rig.polled("second", code)
    assert rig.polled("first", code)
    assert not rig.polled("third", code)
    assert rig.polled("second", "200")


def test_a_target_that_is_down_again_after_one_response_is_reported() -> None:
    """The failures before that response affected the target, so none of its data sources counts as failing alone."""
    rig = RecorderRig()
    rig.has_others = True
    assert rig.polled("first", "200")
    assert rig.polled("second", "timeout")
    assert not rig.polled("third", "timeout")
    assert rig.polled("first", "200")
    assert rig.polled("second", "timeout")
    assert rig.others_polled == 2
    assert not rig.polled("third", "timeout")


def test_refused_credentials_concern_every_data_source() -> None:
    """No other one is polled."""
    rig = RecorderRig()
    rig.has_others = True
    assert rig.polled("fine", "200")
    assert not rig.polled("fine", "ExpiredTokenException")
    assert rig.others_polled == 0


@pytest.mark.parametrize(("poll", "other"), [("200", "AccessDeniedException"), ("AccessDeniedException", "200")])
def test_an_old_poll_does_not_decide(poll: str, other: str) -> None:
    """The target has no data sources any more, and discovery is all that it does."""
    rig = RecorderRig()
    rig.recorder.finished(JOBS, poll, 0.1)
    rig.clock.advance(POLL_VALIDITY)
    rig.recorder.finished(LISTING, other, 0.1)
    assert rig.reachability.is_up is (other == "200")


@pytest.mark.parametrize("operation", [JOBS, DOCUMENTS])
def test_a_replaced_target_sends_no_request(operation: str) -> None:
    """Its successor uses the same rate limiter."""
    rig = RecorderRig()
    rig.gate.close()
    with pytest.raises(StoppedError):
        rig.recorder.acquire(operation)
    assert rig.limiter.observed_rate() == 0.0
