"""The sink of log lines, with streams that fail, block, or accept only a part of a line."""

from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING, Any

import pytest

from exporter.cli.log_sink import LogSink
from tests.support.harness import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = [f"line {number}\n" for number in range(1000)]


class FaultyStream(io.RawIOBase):
    """Accepts bytes as long as there is space."""

    def __init__(self, space: int) -> None:
        self.space = space
        self.written = b""

    def write(self, data: Any) -> int:
        """Accept a part of the data; raise OSError if there is no space at all."""
        if not self.space:
            raise OSError(errno.ENOSPC, "No space left on device")
        accepted = bytes(data)[: self.space]
        self.written += accepted
        self.space -= len(accepted)
        return len(accepted)


@pytest.fixture
def pipe() -> Iterator[tuple[io.FileIO, io.FileIO]]:
    """Return the two ends of a pipe, unbuffered."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as receiving, os.fdopen(writer, "wb", buffering=0) as sending:
        yield receiving, sending


def test_all_lines_are_written_in_order() -> None:
    """Closing the sink waits for them."""
    stream = FaultyStream(1 << 20)
    with LogSink(stream) as sink:
        for line in LINES:
            sink.write(line)
    assert stream.written.decode() == "".join(LINES)
    assert sink.dropped() == 0


def test_lines_that_cannot_be_written_are_counted() -> None:
    """Logging resumes when the disk has space again."""
    stream = FaultyStream(0)
    with LogSink(stream) as sink:
        sink.write("lost\n")
        eventually(lambda: sink.dropped() == 1)
        stream.space = 100
        sink.write("kept\n")
    assert (stream.written, sink.dropped()) == (b"kept\n", 1)


def test_a_line_that_was_written_in_part_does_not_run_into_the_next() -> None:
    """The next line begins on a new line, even if a line in between was lost."""
    stream = FaultyStream(3)
    with LogSink(stream) as sink:
        sink.write("torn line\n")
        eventually(lambda: sink.dropped() == 1)
        sink.write("lost line\n")
        eventually(lambda: sink.dropped() == 2)
        stream.space = 100
        sink.write("whole line\n")
        sink.write("another\n")
    assert stream.written == b"tor\nwhole line\nanother\n"


def test_a_closed_stream_costs_lines_only() -> None:
    """Python raises ValueError for it."""
    stream = io.BytesIO()
    stream.close()
    with LogSink(stream) as sink:
        sink.write("lost\n")
    assert sink.dropped() == 1


def test_a_pipe_that_is_not_read_never_blocks_the_program(pipe: tuple[io.FileIO, io.FileIO]) -> None:
    """Lines that do not fit into the queue are dropped. Closing stops waiting after its timeout."""
    reader, writer = pipe
    long_line = "x" * 100_000 + "\n"  # longer than the pipe
    sink = LogSink(writer, max_queued=10 * len(long_line))
    for _ in range(50):
        sink.write(long_line)
    assert 39 <= sink.dropped() <= 40  # ten are queued, and one may be in the thread
    sink.close(timeout=0.01)
    sink.write("late\n")
    assert 40 <= sink.dropped() <= 41
    reader.close()  # the thread writes no more
    eventually(lambda: sink.dropped() == 51)


def test_a_stream_that_another_process_made_non_blocking(pipe: tuple[io.FileIO, io.FileIO]) -> None:
    """The sink waits until the stream accepts the rest of a line."""
    reader, writer = pipe
    os.set_blocking(writer.fileno(), False)
    with LogSink(writer) as sink:
        text = "".join(LINES) * 20  # longer than the pipe
        sink.write(text)
        received = b""
        while len(received) < len(text):
            received += reader.read(1 << 20)
    assert (received.decode(), sink.dropped()) == (text, 0)


def test_text_that_cannot_be_encoded_is_escaped() -> None:
    """Names from AWS may contain half a surrogate pair."""
    stream = FaultyStream(100)
    with LogSink(stream) as sink:
        sink.write("\ud800 é\n")
    assert stream.written == "\\ud800 é\n".encode()
