"""Crashes: killed at every system call, cut off from power at every one, and logs that are damaged."""

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
from tests.support.faults.disk import Call, Disk, lay_out, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CUTS = 6  # different ways that a power cut at one moment may turn out
GARBAGE = b"no database at all" * 300


def no_failure() -> None:
    """Stand where no write may fail."""
    pytest.fail("a write failed")


def nothing(_directory: Path) -> int:
    """Begin without a file."""
    return 0


def used(directory: Path) -> int:
    """Begin with a file that was closed in order."""
    store = Store(str(directory / "state.db"), no_failure)
    store.commit({KEY: history(3)})
    store.close()
    return 3


def killed(directory: Path) -> int:
    """Begin with what a killed process left: all it had committed is in the log alone."""
    pid = os.fork()
    if not pid:
        store = Store(str(directory / "state.db"), no_failure)
        for count in range(1, 6):
            store.commit({KEY: history(count)})
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    return 5


def of_the_first_release(directory: Path) -> int:
    """Begin with a file of the first schema."""
    used(directory)
    path = directory / "state.db"
    with sqlite3.connect(path) as db:
        rows = [db.execute(f"SELECT * FROM {table}").fetchall() for table in ("source", "job")]  # noqa: S608 (our own names)
    db.close()
    path.unlink()
    with sqlite3.connect(path, isolation_level=None) as db:
        db.executescript(FIRST_SCHEMA)
        db.executemany("INSERT INTO source VALUES (?, ?)", rows[0])
        db.executemany("INSERT INTO job VALUES (?, ?, ?)", rows[1])
    db.close()
    return 3


def unreadable(directory: Path) -> int:
    """Begin with what is no database, which is moved aside."""
    (directory / "state.db").write_bytes(GARBAGE)
    return 0


SCENARIOS: dict[str, tuple[Callable[[Path], int], str]] = {
    "a new file": (nothing, "commit"),
    "a file with the log folded in amid commits": (used, "checkpoint"),
    "what a killed process left": (killed, "commit"),
    "a file of the first release, migrated": (of_the_first_release, "commit"),
    "what cannot be read, moved aside": (unreadable, "commit"),
}


@pytest.fixture(params=SCENARIOS)
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Disk, list[Call], int]:
    """Record a scenario: the disk before it, what was done to it, and how much was counted before."""
    prepare, scenario = SCENARIOS[request.param]
    directory = tmp_path / "disk"
    directory.mkdir()
    before = prepare(directory)
    disk = Disk(directory)
    calls = record(scenario, directory)
    assert sum(call.name == "show" for call in calls) == COMMITS
    assert {"pwrite64", "fdatasync"} <= {call.name for call in calls}
    return disk, calls, before


def see(state: Path, least: int) -> None:
    """See that a state opens and has all that was shown, and nothing that was never committed."""
    garbage = [path for path in state.parent.iterdir() if path.read_bytes() == GARBAGE]
    store = Store(str(state), no_failure)
    aside = list(state.parent.glob("state.db.unreadable-*"))
    assert least <= counted(store) <= least + 1
    assert counted(store) == 0 or store.history(KEY) == history(counted(store))
    store.commit({KEY: history(counted(store) + 1)})
    store.close()
    assert len(aside) == len(garbage)


def moments(disk: Disk, calls: list[Call]) -> Iterator[int]:
    """Yield each moment at which a process might end, with the disk brought there."""
    yield 0
    for number, call in enumerate(calls, start=1):
        disk.do(call)
        yield number


def test_killed_at_any_system_call_nothing_shown_is_lost(
    recorded: tuple[Disk, list[Call], int], tmp_path: Path
) -> None:
    """The state opens, and has every job whose commit had come back; and goes on from there."""
    disk, calls, before = recorded
    for number in moments(disk, calls):
        see(lay_out(disk.after_a_kill(), tmp_path / f"kill-{number}"), max(before, disk.shown))


def test_cut_off_from_power_at_any_system_call_nothing_shown_is_lost(
    recorded: tuple[Disk, list[Call], int], tmp_path: Path
) -> None:
    """Whatever of the unsynced writes is there, torn or missing: what was shown had been synced before."""
    disk, calls, before = recorded
    for number in moments(disk, calls):
        for variant in range(CUTS):
            image = disk.after_a_power_cut(random.Random(f"{number} {variant}"))
            see(lay_out(image, tmp_path / f"cut-{number}-{variant}"), max(before, disk.shown))


def test_a_log_cut_anywhere_or_damaged_gives_a_state_that_was(tmp_path: Path) -> None:
    """At every frame's edge, amid frames, and with any byte changed: it opens, as it was after one of the commits."""
    directory = tmp_path / "disk"
    directory.mkdir()
    last = killed(directory)
    content = {path.name: path.read_bytes() for path in directory.iterdir()}
    log, dice = content["state.db-wal"], random.Random(1)
    frame = 4096 + 24
    edges = range(0, len(log) + 1, 32) if len(log) < frame else range(32, len(log) + 1, frame)
    damaged = [log[:edge] for edge in (0, *edges)]
    damaged += [log[: dice.randrange(len(log))] for _ in range(60)]
    for _ in range(120):
        at = dice.randrange(len(log))
        damaged.append(log[:at] + bytes([log[at] ^ dice.randint(1, 255)]) + log[at + 1 :])
    found = set()
    for number, wal in enumerate(damaged):
        state = lay_out({**content, "state.db-wal": wal}, tmp_path / f"log-{number}")
        store = Store(str(state), no_failure)
        count = counted(store)
        assert count == 0 or store.history(KEY) == history(count)
        found.add(count)
        store.close()
        assert not list(state.parent.glob("*unreadable*"))
    assert found == set(range(last + 1))


def test_a_killed_open_is_not_in_the_way_of_the_next(tmp_path: Path) -> None:
    """The lock goes with the process that had it."""
    path = str(tmp_path / "state.db")
    script = "import os, sys; from exporter.store import Store; Store(sys.argv[1], print); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", script, path], check=False)
    assert done.returncode == -signal.SIGKILL
    Store(path, no_failure).close()
