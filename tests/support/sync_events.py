"""Events as EventBridge puts them on a queue, and an SQS server for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

import boto3
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from exporter.domain.model import SourceId

ACCOUNT, REGION = "111122223333", "us-east-1"


def sync_event(source: SourceId, operation: str = "StartDataSourceSyncJob", **record: Any) -> dict[str, Any]:
    """Return the event about a call that starts or stops a sync; `record` replaces members of the CloudTrail record."""
    events = source.service.sync_events
    return {
        "version": "0",
        "id": "0b1c2d3e-0000-4000-8000-000000000000",
        "detail-type": "AWS API Call via CloudTrail",
        "source": events.source,
        "account": ACCOUNT,
        "time": "2026-11-29T12:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "eventSource": events.event_source,
            "eventName": operation,
            "awsRegion": REGION,
            "requestParameters": dict(zip(events.id_parameters, source.path, strict=True)),
            "responseElements": {"executionId": "e" * 36},
            **record,
        },
    }


class SqsServer:
    """A server that speaks the protocol of SQS over HTTP; a context manager."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    def __enter__(self) -> Self:
        """Start the server."""
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self.client: Any = boto3.client(
            "sqs",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 (not a secret)
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self.client.close()
        self._server.stop()
        server = self._server._server  # noqa: SLF001 (moto ends its thread, but does not close its socket)
        assert server
        server.server_close()

    def url_of(self, name: str) -> str:
        """Return the URL of a queue, which need not exist."""
        return f"{self.url}/123456789012/{name}"  # the account of the server

    def create(self, name: str) -> str:
        """Create a queue, and return its URL."""
        return str(self.client.create_queue(QueueName=name)["QueueUrl"])

    def send(self, queue: str, *messages: object) -> None:
        """Send messages: text as it is, anything else as JSON."""
        for message in messages:
            body = message if isinstance(message, str) else json.dumps(message)
            self.client.send_message(QueueUrl=queue, MessageBody=body)

    def count(self, queue: str) -> int:
        """Return the number of messages in a queue, including those that were received and not deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        response = self.client.get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return sum(int(value) for value in response["Attributes"].values())
