"""The lock of a state file, which holds for any path to it, and the mode of a new file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter.errors import StartupError
from tests.support.state_files import KEY, make_history, open_copy, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.support.state_files import *
store = open_store(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(path: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that has the state file open."""
    command = [sys.executable, "-c", HOLDER, path, str(ROOT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def same(path: str) -> str:
    """Return the path itself."""
    return path


def symbolic_link(path: str) -> str:
    """Return a symbolic link to the file."""
    Path(f"{path}.link").symlink_to(path)
    return f"{path}.link"


def symbolic_link_to_directory(path: str) -> str:
    """Return the file in a symbolic link to its directory."""
    directory = Path(path).parent
    (directory / "link").symlink_to(directory)
    return str(directory / "link" / Path(path).name)


def hard_link(path: str) -> str:
    """Return a hard link to the file."""
    Path(f"{path}.hard").hardlink_to(path)
    return f"{path}.hard"


@pytest.mark.parametrize("other_path", [same, symbolic_link, symbolic_link_to_directory, hard_link])
def test_a_second_exporter_is_rejected_by_any_path(path: str, other_path: Callable[[str], str]) -> None:
    """Two exporters with one state file would count jobs twice."""
    with another_process(path):
        other = other_path(path)
        with pytest.raises(StartupError) as error:
            open_store(other)
    message = f"state file {other} is in use by another exporter: set a different state.path"
    assert str(error.value) == message
    open_store(other).close()


def test_no_file_beside_the_state_file_takes_part_in_the_lock(path: str) -> None:
    """To delete every other file does not let a second exporter in, and the first continues."""
    with another_process(path):
        for file in Path(path).parent.iterdir():
            if file.name not in {"state.db", "state.db-wal", "state.db-shm"}:
                file.unlink()
        with pytest.raises(StartupError, match="in use"):
            open_store(path)


def test_a_second_store_in_the_same_process_is_rejected(path: str) -> None:
    """The lock belongs to the store, not to the process."""
    store = open_store(path)
    with pytest.raises(StartupError, match="in use"):
        open_store(path)
    store.close()
    open_store(path).close()


def test_copies_do_not_release_the_lock(path: str) -> None:
    """Commands that read the file, in this process or another, close it without an effect on the exporter."""
    store = open_store(path)
    store.commit({KEY: make_history()})
    open_copy(path).close()
    assert Path(path).read_bytes()
    command = [sys.executable, "-c", HOLDER, path, str(ROOT)]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert "is in use by another exporter" in done.stderr
    store.close()


def test_the_lock_ends_with_the_process(path: str) -> None:
    """After SIGKILL, the next start opens the file."""
    with another_process(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        open_store(path).close()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_state_file_is_readable_by_its_owner_alone(path: str, umask: int) -> None:
    """So are the write-ahead log and its index, with any umask."""
    before = os.umask(umask)
    try:
        store = open_store(path)
    finally:
        os.umask(before)
    store.commit({KEY: make_history()})
    modes = {file.name: file.stat().st_mode & 0o777 for file in Path(path).parent.iterdir()}
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    store.close()


def test_the_mode_of_an_existing_file_stays(path: str) -> None:
    """An operator may let a group read it."""
    open_store(path).close()
    Path(path).chmod(0o640)
    open_store(path).close()
    assert Path(path).stat().st_mode & 0o777 == 0o640
