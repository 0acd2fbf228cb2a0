"""The resources that a process uses: memory, file descriptors, threads and disk."""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from dataclasses import dataclass
from functools import _lru_cache_wrapper
from pathlib import Path

_LIBC = ctypes.CDLL(None)
MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """The resource usage after some hours of virtual time, and the work that was done until then.

    `series` is the number of lines of the metrics page, `blocks` the number of memory blocks that Python has
    allocated, and `resident` the bytes of resident memory that no file backs. `state` is in bytes.
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
        """Return a row of a table below HEADER."""
        return (
            f"{self.hours:7.1f} h {self.requests:9,} {self.polls:9,} {self.scrapes:8,} {self.ended:8,}"
            f" {self.series:8,} {self.blocks:12,} {self.resident / MEGABYTE:9.1f} MB {self.descriptors:5}"
            f" {self.threads:5} {self.state / MEGABYTE:9.2f} MB"
        )


HEADER = (
    f"{'time':>9} {'requests':>9} {'polls':>9} {'scrapes':>8} {'ended':>8} {'series':>8} {'blocks':>12}"
    f" {'resident':>12} {'fds':>5} {'thrds':>5} {'state':>12}"
)


class MemoryMeter:
    """Measures the memory of this process without its garbage and without its caches of functions.

    A cache with a largest size fills for many hours, and then stays as it is. Create the meter before the exporter
    starts: the garbage collector does not list the objects that the exporter freezes.
    """

    def __init__(self) -> None:
        caches = (each for each in gc.get_objects() if isinstance(each, _lru_cache_wrapper))
        self._caches = [cache for cache in caches if cache.cache_parameters()["maxsize"] is not None]

    def measure(self) -> tuple[int, int]:
        """Return the memory blocks that Python has allocated, and the resident bytes."""
        for cache in self._caches:
            cache.cache_clear()
        gc.collect()
        _LIBC.malloc_trim(0)
        return sys.getallocatedblocks(), resident("self")


def resident(process: int | str) -> int:
    """Return the bytes of a process's resident memory that no file backs."""
    return _status(process, "RssAnon")


def max_resident(process: int | str) -> int:
    """Return the largest resident memory that a process has had, in bytes."""
    return _status(process, "VmHWM")


def _status(process: int | str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    assert found, f"/proc/{process}/status has no {name}; the soak requires Linux"
    return int(found[1]) * 1024


def descriptors(process: int | str) -> int:
    """Return the number of open file descriptors of a process, without the one that this listing opens."""
    return len(list(Path(f"/proc/{process}/fd").iterdir())) - (process == "self")


def threads(process: int | str) -> int:
    """Return the number of threads of a process."""
    return len(list(Path(f"/proc/{process}/task").iterdir()))


def state_size(path: Path) -> int:
    """Return the bytes of a state file, its write-ahead log and its shared memory file."""
    files = (path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))
    return sum(file.stat().st_size for file in files if file.exists())
