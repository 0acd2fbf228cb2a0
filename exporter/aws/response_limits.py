"""What one answer may cost: a time for all of it and a number of bytes, however it comes.

The SDK's read timeout begins anew with every byte. An answer that drips, in its headers or its body, or that never ends
would hold a worker for ever, and fill the memory.
"""

from __future__ import annotations

import io
import time
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSHTTPSConnection, AWSHTTPSConnectionPool

from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer

MEGABYTE = 10**6
LARGEST = 16 * MEGABYTE  # a page of ten jobs has some 50 kB, and a connector's configuration less than one MB


def limit_responses(client: Any) -> None:
    """Let the read timeout of a client be one for whole answers, and no answer larger than LARGEST."""
    session = client._endpoint.http_session  # noqa: SLF001 (botocore lets nobody choose its connections)
    pools = {"http": _Pool, "https": _SecurePool}
    session._pool_classes_by_scheme = session._manager.pool_classes_by_scheme = pools  # noqa: SLF001 (the same)


class _BoundedStream(io.RawIOBase):
    """What comes from a socket, until it has taken too long or become too much."""

    def __init__(self, stream: io.RawIOBase, sock: socket.socket) -> None:
        self._stream = stream
        self._socket = sock
        self._left = LARGEST
        timeout = sock.gettimeout()
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self._deadline is not None:
            # A timeout of zero would be none at all: the socket would not wait, and say something else.
            self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
        count = self._stream.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            message = f"the answer was larger than {LARGEST // MEGABYTE} MB"
            raise ProviderError(Reason.MALFORMED_RESPONSE, message, code="AnswerTooLarge")
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    """An answer that is read through a bounded stream, its status line and headers included."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_BoundedStream(self.fp.detach(), sock))


class _Connection(AWSHTTPConnection):
    response_class = _BoundedResponse  # type: ignore[assignment] # the stub knows AWS's own alone


class _SecureConnection(AWSHTTPSConnection):
    response_class = _BoundedResponse  # type: ignore[assignment] # the stub knows AWS's own alone


class _Pool(AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(AWSHTTPSConnectionPool):
    ConnectionCls = _SecureConnection
