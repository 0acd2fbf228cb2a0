"""The first message of a client, which stays in the kernel until it is complete."""

from __future__ import annotations

import asyncio
import socket

RECORD_HEADER_BYTES = 5  # type, version (two bytes), length (two bytes)
HANDSHAKE_RECORD = 22
MAX_RECORD_BYTES = 2**14


async def wait_for_first_byte(client: socket.socket) -> None:
    """Wait until a client has sent something; raise ConnectionResetError if it ends the connection first."""
    await _received(client, 1)


async def wait_for_first_record(client: socket.socket) -> None:
    """Wait until a client has sent a TLS record; raise ConnectionResetError if it ends the connection first."""
    header = await _received(client, RECORD_HEADER_BYTES)
    await _received(client, _record_bytes(header))


def _record_bytes(header: bytes) -> int:
    """Return the length of a record; only of its header if that is invalid, as OpenSSL rejects it."""
    length = int.from_bytes(header[3:])
    if header[0] != HANDSHAKE_RECORD or length > MAX_RECORD_BYTES:
        return RECORD_HEADER_BYTES
    return RECORD_HEADER_BYTES + length


async def _received(client: socket.socket, count: int) -> bytes:
    """Wait until the kernel has this many bytes, and return them without consuming them.

    The kernel compares the count itself (SO_RCVLOWAT). Otherwise the socket would be readable after the first byte,
    and the event loop would use all of the CPU until the rest arrives.
    """
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
    loop.add_reader(client, arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(client)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    received = client.recv(count, socket.MSG_PEEK)
    if len(received) < count:
        raise ConnectionResetError
    return received
