"""What a running program takes: memory, descriptors, threads, disk; what is only garbage does not count."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from dataclasses import dataclass
from pathlib import Path

_LIBC = ctypes.CDLL(None)
MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Vitals:
    """What there was at a moment of the virtual time (hours since the start), and what had been done until then.

    `series` are the lines of the page, `blocks` what Python has handed out and not got back, `resident` the bytes of
    memory that no file stands behind.
    """

    hours: float
    requests: int
    polls: int
    scrapes: int
    ended: int
    series: int
    blocks: int
    resident: int
    descriptors: int
    threads: int
    state: int

    def __str__(self) -> str:
        """Write it as a row of a table."""
        return (
            f"{self.hours:7.1f} h {self.requests:9,} {self.polls:9,} {self.scrapes:8,} {self.ended:8,}"
            f" {self.series:8,} {self.blocks:12,} {self.resident / MEGABYTE:9.1f} MB {self.descriptors:5}"
            f" {self.threads:5} {self.state / MEGABYTE:9.2f} MB"
        )


HEAD = (
    f"{'time':>9} {'requests':>9} {'polls':>9} {'scrapes':>8} {'ended':>8} {'series':>8} {'blocks':>12}"
    f" {'resident':>12} {'fds':>5} {'thrds':>5} {'state':>12}"
)


def settled_memory() -> tuple[int, int]:
    """Collect what is garbage, give back to the system what is free, and give the blocks and bytes that remain."""
    gc.collect()
    _LIBC.malloc_trim(0)
    return sys.getallocatedblocks(), resident("self")


def resident(process: int | str) -> int:
    """Give the bytes of memory that a process has and no file stands behind."""
    return _status(process, "RssAnon")


def most_resident(process: int | str) -> int:
    """Give the most bytes of memory that a process ever had."""
    return _status(process, "VmHWM")


def _status(process: int | str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    assert found, f"/proc/{process}/status has no {name}: this wants Linux"
    return int(found[1]) * 1024


def descriptors(process: int | str) -> int:
    """Count the open file descriptors of a process, but for the one that counts its own."""
    return len(list(Path(f"/proc/{process}/fd").iterdir())) - (process == "self")


def threads(process: int | str) -> int:
    """Count the threads of a process."""
    return len(list(Path(f"/proc/{process}/task").iterdir()))


def size_of_state(path: Path) -> int:
    """Give the bytes of a state file and of what SQLite keeps beside it."""
    files = (path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))
    return sum(file.stat().st_size for file in files if file.exists())
