"""The receiver, with boto3 and a server that speaks the protocol of SQS."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from exporter.aws import AwsClient
from exporter.config import PollingConfig, TargetConfig
from exporter.errors import ProviderError, Reason
from exporter.events.message import EventScope
from exporter.events.receiver import LONG_POLL, EventReceiver, EventResult
from exporter.runtime import System
from tests.support.builders import source_id
from tests.support.simulated_target import RecordingObserver
from tests.support.sync_events import ACCOUNT, REGION, sync_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.aws.sqs_queue import SqsMessage, SqsQueue
    from exporter.domain.model import SourceId
    from tests.support.sync_events import SqsServer

SOURCE, UNKNOWN = source_id("a" * 36, "b" * 36, "c" * 36), source_id("a" * 36, "b" * 36, "d" * 36)
USED, IGNORED, INVALID = EventResult


@dataclass
class Recorder:
    """Records the reports of the receiver, and stops it after a failure so that it does not wait."""

    results: list[EventResult] = field(default_factory=list)
    hints: list[SourceId] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def received(self, result: EventResult) -> None:
        """Record a message."""
        self.results.append(result)

    def queue_up(self) -> None:
        """Record that the queue was read."""
        self.health.append("up")

    def queue_down(self, error: ProviderError) -> None:
        """Record why the queue could not be read."""
        self.health.append(str(error))
        self.stopping.set()

    def hint(self, source: SourceId) -> bool:
        """Record a hint; only one data source is watched."""
        self.hints.append(source)
        return source == SOURCE


@pytest.fixture
def recorder() -> Recorder:
    """Return an empty recorder."""
    return Recorder()


@pytest.fixture
def requests() -> RecordingObserver:
    """Return an observer of the requests to SQS."""
    return RecordingObserver()


def message_queue(url: str, requests: RecordingObserver, monkeypatch: pytest.MonkeyPatch) -> SqsQueue:
    """Return a queue as a target reads it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # of the service; the queue has its own
    target = TargetConfig.model_validate({"region": REGION})
    return AwsClient(target, PollingConfig(), RecordingObserver(), System()).message_queue(url, LONG_POLL, requests)


@pytest.fixture
def receiver(
    queue: str, recorder: Recorder, requests: RecordingObserver, monkeypatch: pytest.MonkeyPatch
) -> EventReceiver:
    """Return the receiver of the queue, not started."""
    return receiver_of(message_queue(queue, requests, monkeypatch), recorder)


def receiver_of(queue: SqsQueue | UndeletableQueue, recorder: Recorder) -> EventReceiver:
    """Return a receiver whose steps the test calls."""
    scope = EventScope(SOURCE.service, REGION, ACCOUNT)
    return EventReceiver(
        "test", queue, lambda: scope, recorder.hint, recorder, System(), random.Random(1), recorder.stopping
    )


def test_messages_become_hints_and_are_deleted(
    sqs: SqsServer, queue: str, receiver: EventReceiver, recorder: Recorder, requests: RecordingObserver
) -> None:
    """Every message is counted and deleted; only one about a watched data source is used."""
    sqs.send(queue, sync_event(SOURCE), sync_event(UNKNOWN), sync_event(SOURCE, "GetDataSource"), "noise")
    receiver.step()
    assert sorted(recorder.results) == sorted([USED, IGNORED, IGNORED, INVALID])
    assert set(recorder.hints) == {SOURCE, UNKNOWN}
    assert (recorder.health, sqs.count(queue)) == (["up"], 0)
    assert requests.codes == ["200", "200"]
    assert requests.operations == ["ReceiveMessage", "DeleteMessageBatch"]


def test_an_empty_queue_is_known_to_work_at_once(receiver: EventReceiver, recorder: Recorder) -> None:
    """The first request does not wait for a message."""
    receiver.step()
    assert recorder.health == ["up"]


def test_only_the_first_invalid_message_is_a_warning(
    sqs: SqsServer, queue: str, receiver: EventReceiver, recorder: Recorder
) -> None:
    """A rule with an input transformer makes all messages invalid."""
    sqs.send(queue, "first", "second", "third")
    with capture_logs() as log:
        receiver.step()
    assert recorder.results == [INVALID] * 3
    assert sorted(line["log_level"] for line in log) == ["debug", "debug", "warning"]


def test_a_queue_that_does_not_exist_is_reported_with_its_error(
    sqs: SqsServer, recorder: Recorder, requests: RecordingObserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the operation, and the error of SQS."""
    receiver_of(message_queue(sqs.url_of("missing"), requests, monkeypatch), recorder).step()
    (error,) = recorder.health
    assert error.startswith("ReceiveMessage: AWS.SimpleQueueService.NonExistentQueue: The specified queue does not")
    assert requests.codes == ["QueueDoesNotExist"]


def test_messages_that_arrive_after_the_stop_are_left_in_the_queue(
    sqs: SqsServer, queue: str, receiver: EventReceiver, recorder: Recorder
) -> None:
    """The successor of the target receives them."""
    sqs.send(queue, sync_event(SOURCE))
    recorder.stopping.set()
    receiver.step()
    assert (recorder.results, sqs.count(queue)) == ([], 1)


class UndeletableQueue:
    """A queue that denies to delete messages until `is_allowed`."""

    def __init__(self, queue: SqsQueue) -> None:
        self._queue = queue
        self.is_allowed = False

    def receive(self, wait: int) -> list[SqsMessage]:
        """Receive from the queue."""
        return self._queue.receive(wait)

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete from the queue, or raise ProviderError."""
        if not self.is_allowed:
            raise ProviderError(Reason.ACCESS_DENIED, "AccessDenied", operation="DeleteMessageBatch")
        self._queue.delete(receipts)


def test_nothing_is_received_while_messages_cannot_be_deleted(
    sqs: SqsServer,
    queue: str,
    recorder: Recorder,
    requests: RecordingObserver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise, SQS would deliver the same messages until they expire, and each time they would cost polls."""
    undeletable = UndeletableQueue(message_queue(queue, requests, monkeypatch))
    receiver = receiver_of(undeletable, recorder)
    sqs.send(queue, sync_event(SOURCE))
    for _ in range(3):
        recorder.stopping.clear()
        receiver.step()
    assert recorder.health == ["DeleteMessageBatch: AccessDenied"] * 3
    assert requests.operations == ["ReceiveMessage"]
    undeletable.is_allowed = True
    recorder.stopping.clear()
    receiver.step()
    assert (recorder.health[-1], recorder.results, sqs.count(queue)) == ("up", [USED], 0)
