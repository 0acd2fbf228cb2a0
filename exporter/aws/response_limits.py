"""Limits on the duration and the size of one response.

The SDK's read timeout starts over with every byte. So a response that arrives one byte at a time, or that never ends,
would block a worker forever or exhaust the memory. With these limits, the read timeout applies to the whole response,
including its status line and headers.
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
MAX_RESPONSE_BYTES = 16 * MEGABYTE  # a page of ten jobs has about 50 kB, a connector configuration less than 1 MB


def limit_responses(client: Any) -> None:
    """Limit the duration of each response of a client by its read timeout, and the size by MAX_RESPONSE_BYTES."""
    session = client._endpoint.http_session  # noqa: SLF001 (botocore has no public way to replace the connections)
    pools = {"http": _Pool, "https": _SecurePool}
    session._pool_classes_by_scheme = session._manager.pool_classes_by_scheme = pools  # noqa: SLF001 (the same)


class _LimitedStream(io.RawIOBase):
    """The bytes from a socket, up to a deadline and a maximum size."""

    def __init__(self, stream: io.RawIOBase, sock: socket.socket) -> None:
        self._stream = stream
        self._socket = sock
        self._remaining = MAX_RESPONSE_BYTES
        timeout = sock.gettimeout()
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self._deadline is not None:
            # A timeout of 0 makes the socket non-blocking, which would then raise another error than a timeout.
            self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
        count = self._stream.readinto(buffer)
        self._remaining -= count or 0
        if self._remaining < 0:
            message = f"response larger than {MAX_RESPONSE_BYTES // MEGABYTE} MB"
            raise ProviderError(Reason.MALFORMED_RESPONSE, message, code="ResponseTooLarge")
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _LimitedResponse(HTTPResponse):
    """A response that is read through a limited stream, including its status line and headers."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_LimitedStream(self.fp.detach(), sock))


class _LimitedConnection(AWSHTTPConnection):
    response_class = _LimitedResponse  # type: ignore[assignment] # the stub allows AWS's own class only


class _LimitedSecureConnection(AWSHTTPSConnection):
    response_class = _LimitedResponse  # type: ignore[assignment] # the stub allows AWS's own class only


class _Pool(AWSHTTPConnectionPool):
    ConnectionCls = _LimitedConnection


class _SecurePool(AWSHTTPSConnectionPool):
    ConnectionCls = _LimitedSecureConnection
