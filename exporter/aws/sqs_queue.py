"""A queue of Amazon SQS, read with the credentials of a target.

A failure of the queue says nothing about the target, and affects neither the state of its credentials nor its
reachability.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from exporter.aws.errors import translated_errors
from exporter.aws.response_limits import limit_responses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from botocore.config import Config as BotoConfig
    from botocore.session import Session as BotoSession

    from exporter.aws.hooks import RequestHooks

BATCH = 10  # the largest number of messages in one request
VISIBILITY_TIMEOUT = 5
"""Seconds until a message that was received and not deleted is delivered again, for example after a reload.

It is short because a message is processed within milliseconds, and a second delivery does no harm.
"""
RECEIVE, DELETE = "ReceiveMessage", "DeleteMessageBatch"
QUEUE_OPERATIONS = frozenset({RECEIVE, DELETE})


@dataclass(frozen=True, slots=True)
class SqsMessage:
    """A message: its text, and the handle to delete it with."""

    body: str
    receipt: str


class SqsQueue:
    """Receives and deletes messages; for one thread. Methods raise ProviderError."""

    def __init__(
        self, url: str, session: Callable[[], BotoSession], config: BotoConfig, region: str, hooks: RequestHooks
    ) -> None:
        """Create the queue; `session` may raise ProviderError, and `region` is used if the URL has none."""
        self._url = url
        self._session = session
        self._config = config
        self._region = queue_region(url) or region
        self._hooks = hooks
        self._client: Any = None

    def receive(self, wait: int, *, visibility_timeout: int = VISIBILITY_TIMEOUT) -> list[SqsMessage]:
        """Return up to BATCH messages, or none after `wait` seconds."""
        with self._client_for(RECEIVE) as client:
            response = client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=wait,
                VisibilityTimeout=visibility_timeout,
            )
            return [SqsMessage(each["Body"], each["ReceiptHandle"]) for each in response.get("Messages", [])]

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete up to BATCH messages. SQS delivers messages again that it cannot delete."""
        with self._client_for(DELETE) as client:
            entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(receipts)]
            client.delete_message_batch(QueueUrl=self._url, Entries=entries)

    @contextmanager
    def _client_for(self, operation: str) -> Iterator[Any]:
        """Yield the client, and translate exceptions of its use into ProviderError."""
        with translated_errors(operation):
            yield self._get_client()

    def _get_client(self) -> Any:
        if self._client is None:
            origin = urlsplit(self._url)
            client: Any = self._session().create_client(
                "sqs",
                region_name=self._region,
                endpoint_url=f"{origin.scheme}://{origin.netloc}",  # otherwise AWS_ENDPOINT_URL would replace it
                config=self._config,
            )
            limit_responses(client)
            self._hooks.attach(client)
            self._client = client
        return self._client


def queue_region(url: str) -> str | None:
    """Return the region in the URL of a queue of AWS; None for another host, such as a VPC endpoint."""
    labels = (urlsplit(url).hostname or "").split(".")
    return labels[1] if labels[0] in {"sqs", "sqs-fips"} and len(labels) > 3 else None  # noqa: PLR2004 (sqs.REGION.amazonaws.com)


def queue_arn(url: str, partition: str, region: str) -> str:
    """Return the ARN of a queue from its URL; `region` is used if the URL has none."""
    account, name = urlsplit(url).path.strip("/").split("/")
    return f"arn:{partition}:sqs:{queue_region(url) or region}:{account}:{name}"
