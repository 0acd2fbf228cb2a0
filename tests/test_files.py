"""Files that are pipes, devices or sockets: none of them blocks the reader."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter import files
from exporter.files import read_file

CONTENT = b"targets: []\n" * 100_000  # more than a pipe holds


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Return a named pipe without a writer."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    """So is an empty one, such as /dev/null."""
    (tmp_path / "file").write_bytes(CONTENT)
    assert read_file(tmp_path / "file") == CONTENT
    assert read_file(Path(os.devnull)) == b""


def test_a_pipe_is_read_to_its_end(pipe: Path) -> None:
    """Its writer may be slower than the reader."""
    writer = threading.Thread(target=pipe.write_bytes, args=(CONTENT,))
    writer.start()
    assert read_file(pipe) == CONTENT
    writer.join()


@pytest.mark.parametrize("written", [None, b"targets:"])
def test_a_pipe_that_does_not_end_is_an_error(
    pipe: Path, monkeypatch: pytest.MonkeyPatch, written: bytes | None
) -> None:
    """It has no writer, or one that writes a part only."""
    monkeypatch.setattr(files, "END_TIMEOUT", 0.1)
    with ExitStack() as stack:
        if written:
            writer = stack.enter_context(pipe.open("r+b", buffering=0))  # "wb" would wait for the reader
            writer.write(written)
        with pytest.raises(OSError, match=r"a pipe or a device that did not end within 0\.1 s: name a file"):
            read_file(pipe)


def test_an_endless_device_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not fill the memory."""
    monkeypatch.setattr(files, "MAX_SIZE", 1 << 20)
    with pytest.raises(OSError, match="more than 1 MiB"):
        read_file(Path("/dev/zero"))


@pytest.mark.parametrize(("name", "message"), [("", "Is a directory"), ("socket", "No such device or address")])
def test_a_directory_or_a_socket_is_an_error(tmp_path: Path, name: str, message: str) -> None:
    """The message comes from the system."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError, match=message):
            read_file(tmp_path / name)
