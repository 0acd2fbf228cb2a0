"""A body that is given in pieces, and is never one object in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from starlette.types import Receive, Scope, Send

SMALL_BYTES = 192 * 1024  # a third faster than 64 KiB; more is no faster, and is what a stalled client holds in memory


class ChunkedResponse(Response):
    """Answer with a body of known length, the pieces of which others may be given at the same time."""

    def __init__(self, pieces: Sequence[bytes], headers: Mapping[str, str]) -> None:
        length = sum(len(piece) for piece in pieces)
        super().__init__(headers={**headers, "Content-Length": str(length)})
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI's)
        """Answer one request."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in _gathered(self._pieces):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _gathered(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """Put small pieces together: each costs the server some work, however short."""
    small: list[bytes] = []
    length = 0
    for piece in pieces:
        if length + len(piece) > SMALL_BYTES:
            yield b"".join(small)
            small, length = [], 0
        small.append(piece)
        length += len(piece)
    yield b"".join(small)
