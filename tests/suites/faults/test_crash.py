"""Crashes: a kill or a power cut at every system call, and damaged write-ahead logs."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from exporter.store import Store
from tests.support.faults.crash import COMMITS, FIRST_SCHEMA, KEY, counted, history
from tests.support.faults.disk import RecordedDisk, SystemCall, record, write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POWER_CUTS = 6  # variants of a power cut at each system call
GARBAGE = b"not a database" * 400


def no_failure() -> None:
    """Fail the test, because no write may fail."""
    pytest.fail("a write failed")


def no_file(_directory: Path) -> int:
    """Start without a file."""
    return 0


def closed_file(directory: Path) -> int:
    """Start with a file that was closed cleanly."""
    store = Store(str(directory / "state.db"), no_failure)
    store.commit({KEY: history(3)})
    store.close()
    return 3


def killed_process(directory: Path) -> int:
    """Start with the files of a killed process, whose commits are only in the write-ahead log."""
    pid = os.fork()
    if not pid:
        store = Store(str(directory / "state.db"), no_failure)
        for count in range(1, 6):
            store.commit({KEY: history(count)})
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    return 5


def first_schema(directory: Path) -> int:
    """Start with a file of the first schema."""
    closed_file(directory)
    path = directory / "state.db"
    with sqlite3.connect(path) as db:
        rows = [db.execute(f"SELECT * FROM {table}").fetchall() for table in ("source", "job")]  # noqa: S608 (the names are constants)
    db.close()
    path.unlink()
    with sqlite3.connect(path, isolation_level=None) as db:
        db.executescript(FIRST_SCHEMA)
        db.executemany("INSERT INTO source VALUES (?, ?)", rows[0])
        db.executemany("INSERT INTO job VALUES (?, ?, ?)", rows[1])
    db.close()
    return 3


def unreadable(directory: Path) -> int:
    """Start with a file that is not a database, which the store moves aside."""
    (directory / "state.db").write_bytes(GARBAGE)
    return 0


SCENARIOS: dict[str, tuple[Callable[[Path], int], str]] = {
    "a new file": (no_file, "commit"),
    "checkpoints between commits": (closed_file, "checkpoint"),
    "the files of a killed process": (killed_process, "commit"),
    "the migration of a file of the first schema": (first_schema, "commit"),
    "an unreadable file that is moved aside": (unreadable, "commit"),
}


@pytest.fixture(params=SCENARIOS)
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[RecordedDisk, list[SystemCall], int]:
    """Return the disk before a scenario, its system calls, and the number of counted jobs."""
    prepare, scenario = SCENARIOS[request.param]
    directory = tmp_path / "disk"
    directory.mkdir()
    before = prepare(directory)
    disk = RecordedDisk(directory)
    calls = record(scenario, directory)
    assert sum(call.name == "exposed" for call in calls) == COMMITS
    assert {"pwrite64", "fdatasync"} <= {call.name for call in calls}
    return disk, calls, before


def check_state(state: Path, least: int) -> None:
    """Assert that a state opens, with all jobs that were exposed and none that was not committed."""
    garbage = [path for path in state.parent.iterdir() if path.read_bytes() == GARBAGE]
    store = Store(str(state), no_failure)
    moved_aside = list(state.parent.glob("state.db.unreadable-*"))
    assert least <= counted(store) <= least + 1
    assert counted(store) == 0 or store.history(KEY) == history(counted(store))
    store.commit({KEY: history(counted(store) + 1)})
    store.close()
    assert len(moved_aside) == len(garbage)


def replay(disk: RecordedDisk, calls: list[SystemCall]) -> Iterator[int]:
    """Yield the number of each point at which a crash can happen, after replaying the disk up to it."""
    yield 0
    for number, call in enumerate(calls, start=1):
        disk.replay(call)
        yield number


def test_a_kill_at_any_system_call_loses_nothing_exposed(
    recorded: tuple[RecordedDisk, list[SystemCall], int], tmp_path: Path
) -> None:
    """The state opens, has every job whose commit had returned, and accepts further commits."""
    disk, calls, before = recorded
    for number in replay(disk, calls):
        check_state(write_files(disk.after_a_kill(), tmp_path / f"kill-{number}"), max(before, disk.exposed))


def test_a_power_cut_at_any_system_call_loses_nothing_exposed(
    recorded: tuple[RecordedDisk, list[SystemCall], int], tmp_path: Path
) -> None:
    """Unsynced writes may be missing or torn. All exposed values were synced before."""
    disk, calls, before = recorded
    for number in replay(disk, calls):
        for variant in range(POWER_CUTS):
            image = disk.after_a_power_cut(random.Random(f"{number} {variant}"))
            check_state(write_files(image, tmp_path / f"cut-{number}-{variant}"), max(before, disk.exposed))


def test_a_damaged_log_opens_as_the_state_after_a_commit(tmp_path: Path) -> None:
    """A log that is cut anywhere, or has a changed byte, opens as the state after a commit."""
    directory = tmp_path / "disk"
    directory.mkdir()
    last = killed_process(directory)
    content = {path.name: path.read_bytes() for path in directory.iterdir()}
    log, rng = content["state.db-wal"], random.Random(1)
    frame = 4096 + 24
    edges = range(0, len(log) + 1, 32) if len(log) < frame else range(32, len(log) + 1, frame)
    damaged = [log[:edge] for edge in (0, *edges)]
    damaged += [log[: rng.randrange(len(log))] for _ in range(60)]
    for _ in range(120):
        at = rng.randrange(len(log))
        damaged.append(log[:at] + bytes([log[at] ^ rng.randint(1, 255)]) + log[at + 1 :])
    found = set()
    for number, wal in enumerate(damaged):
        state = write_files({**content, "state.db-wal": wal}, tmp_path / f"log-{number}")
        store = Store(str(state), no_failure)
        count = counted(store)
        assert count == 0 or store.history(KEY) == history(count)
        found.add(count)
        store.close()
        assert not list(state.parent.glob("*unreadable*"))
    assert found == set(range(last + 1))


def test_a_killed_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    """The next process opens the file."""
    path = str(tmp_path / "state.db")
    script = "import os, sys; from exporter.store import Store; Store(sys.argv[1], print); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", script, path], check=False)
    assert done.returncode == -signal.SIGKILL
    Store(path, no_failure).close()
