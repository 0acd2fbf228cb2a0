"""The processors of the machine, and how many of them other programs use during a measurement."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.replicas.scale.server import ServerMeter

_TICKS = os.sysconf("SC_CLK_TCK")


class OtherLoad:
    """Measures the processors that other programs use from now on."""

    def __init__(self, server: ServerMeter) -> None:
        self._server = server
        self._began, self._used = time.monotonic(), self._read()

    def processors(self) -> float:
        """Return how many processors other programs have used, on average."""
        return max(0.0, (self._read() - self._used) / (time.monotonic() - self._began))

    def _read(self) -> float:
        """Return the CPU time of all programs without the replicas, their services and the server."""
        user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
        return (user + nice + system + sum(interrupts)) / _TICKS - _own_seconds() - self._server.read().cpu


def _own_seconds() -> float:
    """Return the CPU time of the processes that the benchmark has started, which are in its process group."""
    total = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            fields = file.read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:13])) if int(fields[2]) == os.getpgrp() else 0
    return total / _TICKS
