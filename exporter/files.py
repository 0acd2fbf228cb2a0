"""Reads files that the operator has named. The path may also lead to a pipe or a device."""

from __future__ import annotations

import errno
import os
import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

END_TIMEOUT = 3.0  # seconds; a reload that takes longer would delay the reaction to SIGTERM too much
MAX_SIZE = 64 << 20  # bytes
_CHUNK_SIZE = 1 << 16


def read_file(path: Path) -> bytes:
    """Return the content of a file or of a pipe; raise OSError if it cannot be read.

    A command that reads its configuration once may read a pipe, as in `check --config.file=<(envsubst < template)`. But
    reading a named pipe without a writer, or a terminal, would block a reload forever, and reading /dev/zero would
    exhaust the memory. So there is a deadline and a maximum size.
    """
    # Without O_NONBLOCK, opening a named pipe waits for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        return _read_to_end(descriptor)
    finally:
        os.close(descriptor)


def _read_to_end(descriptor: int) -> bytes:
    deadline = time.monotonic() + END_TIMEOUT
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    content = bytearray()
    # For read(2), a named pipe that had no writer yet is at its end, but not for poll(2).
    while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        with suppress(BlockingIOError):
            chunk = os.read(descriptor, _CHUNK_SIZE)
            if not chunk:
                return bytes(content)
            content += chunk
        if len(content) > MAX_SIZE:
            raise OSError(errno.EFBIG, f"more than {MAX_SIZE >> 20} MiB")
    raise OSError(
        errno.ETIMEDOUT, f"a pipe or a device that did not end within {END_TIMEOUT:g} s: name a file that can be reread"
    )
