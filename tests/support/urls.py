"""Requests of tests to the programs that they start."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.support.harness import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from urllib.request import Request


@contextmanager
def open_url(url: str | Request) -> Iterator[IO[bytes]]:
    """Yield a response. An error response is closed before HTTPError is raised: Python 3.14 warns otherwise."""
    try:
        with urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 (our own address)
            yield response
    except HTTPError as error:
        error.close()
        raise
