"""Responses whose bodies are sent in chunks of a limited size, so that slow clients hold little memory.

The server copies each chunk into the write buffer of the connection. It accepts the next chunk only when the client has
read almost all of that buffer. The invariant: however large a response is, a client that does not read it holds at most
one chunk and the previous content of the buffer (64 KiB), besides the buffer of its socket. With TLS it holds twice as
much, before and after encryption. All responses share the pieces themselves.

Example: 64 clients (`Limits.unread`) request 34 MB and do not read. Together they hold at most 16 MiB. With the body as
one chunk, they would hold 2 GB, and the heap would remain fragmented after the clients are dropped.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from starlette.types import Receive, Scope, Send

# Each chunk costs the server some work, no matter how small it is. Chunks of 192 KiB take a third less time than chunks
# of 64 KiB. Larger chunks are not faster.
CHUNK_BYTES = 192 * 1024


class ChunkedResponse(Response):
    """A response with a body of known length, in chunks of at most `CHUNK_BYTES`."""

    def __init__(self, pieces: Sequence[bytes], headers: Mapping[str, str], status_code: int = HTTPStatus.OK) -> None:
        length = sum(len(piece) for piece in pieces)
        super().__init__(headers={**headers, "Content-Length": str(length)}, status_code=status_code)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (the ASGI interface)
        """Send the response."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for chunk in _chunks(self._pieces):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _chunks(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the pieces. Small ones are joined, and large ones are split."""
    pending: list[bytes] = []
    length = 0
    for piece in pieces:
        if pending and length + len(piece) > CHUNK_BYTES:
            yield b"".join(pending)
            pending, length = [], 0
        if len(piece) > CHUNK_BYTES:
            yield from (piece[start : start + CHUNK_BYTES] for start in range(0, len(piece), CHUNK_BYTES))
        else:
            pending.append(piece)
            length += len(piece)
    if pending:
        yield b"".join(pending)
