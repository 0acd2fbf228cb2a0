"""The SQS server that the tests of events share, and a queue for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.support.sync_events import SqsServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def sqs() -> Iterator[SqsServer]:
    """Run one server for all tests of the worker."""
    with SqsServer() as server:
        yield server


@pytest.fixture
def queue(sqs: SqsServer) -> str:
    """Return the URL of an empty queue."""
    return sqs.create(f"events-{uuid4().hex}")
