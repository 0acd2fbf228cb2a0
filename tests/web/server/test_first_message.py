"""The first message of a client, over real sockets: nothing is consumed, and nothing starts before it is complete."""

from __future__ import annotations

import asyncio
import select
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from exporter.web.server.first_message import wait_for_first_byte, wait_for_first_record
from tests.support.harness import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from typing import Any

RECORD = b"\x16\x03\x01\x01\x00" + bytes(256)  # a handshake record with 256 bytes
LONG_RECORD = b"\x16\x03\x01\x40\x00" + bytes(2**14)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[socket.socket, socket.socket]]:
    """Yield the ends of the server and of the client of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        accepted, _ = listener.accept()
        with accepted:
            accepted.setblocking(False)  # noqa: FBT003 (the interface of socket)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield accepted, client


async def is_waiting(task: asyncio.Task[None], server: socket.socket, sent: int) -> bool:
    """Return whether a task still waits after the server's kernel has received all bytes that the client sent."""
    while sent and len(server.recv(sent, socket.MSG_PEEK)) < sent:  # noqa: ASYNC110 (no event reports it)
        await asyncio.sleep(0)
    for _ in range(100):  # iterations of the event loop
        await asyncio.sleep(0)
    return not task.done()


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test in an event loop; fail if it does not end."""
    asyncio.run(asyncio.wait_for(test, TIMEOUT))


@pytest.mark.parametrize("record", [RECORD, LONG_RECORD])
@pytest.mark.parametrize("sent", [1, 4, 5, 6, 100, -1])
def test_a_part_of_a_record_is_not_enough(record: bytes, sent: int) -> None:
    """The server waits until the last byte has arrived, and reads none of them."""

    async def test() -> None:
        async with connected() as (server, client):
            task = asyncio.create_task(wait_for_first_record(server))
            part = record[:sent]
            client.sendall(part)
            assert await is_waiting(task, server, len(part))
            client.sendall(record[sent:] + b"next")
            await task
            assert server.recv(len(record), socket.MSG_PEEK) == record

    run(test())


@pytest.mark.parametrize("text", [b"GET / HTTP/1.1\r\n\r\n", b"\x15\x03\x01\x40\x00", b"\x16\x03\x01\xff\xff"])
def test_anything_else_is_passed_on_at_once(text: bytes) -> None:
    """OpenSSL rejects HTTP, other records and records that are too long, with the right alert."""

    async def test() -> None:
        async with connected() as (server, client):
            client.sendall(text)
            await wait_for_first_record(server)
            assert server.recv(100) == text

    run(test())


@pytest.mark.parametrize("sent", [b"", RECORD[:3], RECORD[:100]])
def test_the_end_of_a_connection_is_an_error(sent: bytes) -> None:
    """The server does not wait for the rest of a record that will not come."""

    async def test() -> None:
        async with connected() as (server, client):
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            with pytest.raises(ConnectionResetError):
                await wait_for_first_record(server)

    run(test())


def test_a_partial_record_does_not_wake_the_event_loop() -> None:
    """The kernel reports the socket as readable only when the record is complete, so that waiting costs no CPU time."""

    async def test() -> None:
        async with connected() as (server, client):
            task = asyncio.create_task(wait_for_first_record(server))
            client.sendall(RECORD[:-1])
            assert await is_waiting(task, server, len(RECORD) - 1)
            assert select.select([server], [], [], 0)[0] == []
            client.sendall(RECORD[-1:])
            await task

    run(test())


def test_a_byte_is_enough_without_tls() -> None:
    """The protocol then reads the request itself."""

    async def test() -> None:
        async with connected() as (server, client):
            task = asyncio.create_task(wait_for_first_byte(server))
            assert await is_waiting(task, server, 0)
            client.sendall(b"G")
            await task
            assert server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1

    run(test())
