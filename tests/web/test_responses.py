"""Chunked responses: the body is complete, and no chunk is larger than the limit."""

from __future__ import annotations

import http.client
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.responses import CHUNK_BYTES, ChunkedResponse
from exporter.web.server.server import WebServer
from tests.support.harness import TIMEOUT
from tests.support.status_fixtures import StatusFixture, ended_job, make_snapshot
from tests.support.web_app import FakeExposition, HttpResponse, make_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Message

SIZES = st.sampled_from([0, 1, 100, 50_000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])


def messages_of(pieces: Sequence[bytes]) -> list[Message]:
    """Return the ASGI messages of a response."""
    messages: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("no message is expected from the client")

    async def send(message: Message) -> None:
        messages.append(message)

    anyio.run(ChunkedResponse(pieces, {"X-Test": "1"}), {}, receive, send)
    return messages


@given(st.lists(SIZES, max_size=12))
def test_chunks_are_limited_and_complete(sizes: list[int]) -> None:
    """Together the chunks are the body, each has at most `CHUNK_BYTES`, and only the last message ends the response."""
    pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
    start, *bodies = messages_of(pieces)
    assert dict(start["headers"]) == {b"x-test": b"1", b"content-length": str(sum(sizes)).encode()}
    assert b"".join(message["body"] for message in bodies) == b"".join(pieces)
    assert max(len(message["body"]) for message in bodies) <= CHUNK_BYTES
    assert [message["more_body"] for message in bodies] == [True] * (len(bodies) - 1) + [False]


def test_small_pieces_are_joined() -> None:
    """A thousand pieces of 1 KiB need only as many chunks as their bytes fill."""
    _, *bodies = messages_of([b"x" * 1024] * 1000)
    assert len(bodies) == -(-1000 * 1024 // CHUNK_BYTES) + 1


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, 1_000_003])
def test_bodies_of_any_size_arrive_complete(size: int) -> None:
    """A client over HTTP receives the bytes that were rendered, and their length."""
    body = bytes(number % 251 for number in range(size))
    response = get("/metrics", FakeExposition([body]))
    assert response.headers["Content-Length"] == str(size)
    assert response.body == body


@pytest.mark.parametrize("path", ["/?page_size=1000", "/api/v1/data-sources"])
def test_page_and_json_are_chunked_too(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large status page does not leave the server as one chunk."""
    job = ended_job("SUCCEEDED", 60, scanned=5)
    status = StatusFixture.of(make_snapshot(number, f"source-{number}", job) for number in range(200)).status
    chunks: list[int] = []
    original = ChunkedResponse.__call__

    async def record(self: ChunkedResponse, scope: Any, receive: Any, send: Any) -> None:
        async def send_and_record(message: Message) -> None:
            chunks.append(len(message.get("body", b"")))
            await send(message)

        await original(self, scope, receive, send_and_record)

    monkeypatch.setattr(ChunkedResponse, "__call__", record)
    response = get(path, status=status)
    assert response.status == 200
    assert len(response.body) == sum(chunks) > CHUNK_BYTES >= max(chunks)


def get(path: str, exposition: FakeExposition | None = None, **services: Any) -> HttpResponse:
    """Request a path from its own server."""
    server = WebServer(make_app(exposition, **services), ["127.0.0.1:0"])
    server.start()
    try:
        with closing(http.client.HTTPConnection(*server.addresses[0], timeout=TIMEOUT)) as connection:
            connection.request("GET", path)
            return HttpResponse.read(connection.getresponse())
    finally:
        server.stop()
