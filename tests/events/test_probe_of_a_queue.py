"""`check --probe` of a target with a queue of events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from exporter.aws.sqs_queue import SqsQueue
from exporter.cli.oneshot import OneShotTarget
from exporter.cli.probe import Probe
from exporter.config import PollingConfig, TargetConfig
from exporter.errors import ProviderError, Reason
from tests.support.oneshot import ROLE

if TYPE_CHECKING:
    from tests.support.sync_events import SqsServer


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set credentials that the server accepts."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def probe_of(url: str, **target: str) -> Probe:
    """Return the probe of a queue, after its run."""
    config = TargetConfig.model_validate({"region": "us-east-1", "events": {"queue_url": url}, **target})
    probe = Probe(OneShotTarget(config, PollingConfig()), ())
    probe.run()
    return probe


@pytest.mark.usefixtures("credentials")
def test_a_queue_is_probed_without_an_effect_on_its_messages(sqs: SqsServer, queue: str) -> None:
    """The message can be received immediately."""
    sqs.send(queue, "message")
    probe = probe_of(queue)
    assert (probe.results, probe.has_passed) == ({"ReceiveMessage": "allowed", "DeleteMessageBatch": "allowed"}, True)
    (message,) = sqs.client.receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == "message"


@pytest.mark.usefixtures("credentials")
def test_a_queue_that_does_not_exist_is_no_missing_permission(sqs: SqsServer) -> None:
    """The result is the error of SQS."""
    probe = probe_of(sqs.url_of("missing"))
    assert not probe.has_passed
    assert probe.results["ReceiveMessage"].startswith("failed: ReceiveMessage: AWS.SimpleQueueService.NonExistentQueue")


def test_missing_permissions_on_a_queue_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One statement grants both actions."""
    url = "https://sqs.us-east-1.amazonaws.com/111122223333/sync-events"

    def deny(*_: object, **__: object) -> None:
        raise ProviderError(Reason.ACCESS_DENIED, "AccessDenied", operation="DeleteMessageBatch")

    monkeypatch.setattr(SqsQueue, "receive", lambda *_, **__: [])
    monkeypatch.setattr(SqsQueue, "delete", deny)
    probe = probe_of(url, role_arn=ROLE)
    lines = list(probe.lines())
    assert [line.split() for line in lines[1:3]] == [["ReceiveMessage", "allowed"], ["DeleteMessageBatch", "missing"]]
    statement = json.loads("\n".join(lines[4:]))
    assert statement["Action"] == ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
    assert not probe.has_passed
