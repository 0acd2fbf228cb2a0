"""CPU time of this process and of others, and a reference to compare it with.

Other load on a machine changes CPU time much less than wall time, but a slower processor changes both. Therefore
benchmarks also report multiples of the reference: the CPU time of a fixed computation in the same run.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REFERENCE_REPETITIONS = 200
_RECORDS = [{"id": f"source-{number}", "values": [number * 1.5] * 9, "name": "x" * 40} for number in range(50)]


def cpu_seconds(call: Callable[[], object], repetitions: int = 5) -> float:
    """Return the lowest CPU time of several calls, because other load can only add to it."""
    times = []
    for _ in range(repetitions):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return min(times)


def process_cpu_seconds(process: int) -> float:
    """Return the CPU time that another process has used, in steps of a hundredth of a second."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def reference_seconds() -> float:
    """Return the CPU time of the reference: text is formatted, encoded and decoded, as in most of the exporter."""
    return cpu_seconds(_reference)


def _reference() -> int:
    total = 0
    for _ in range(REFERENCE_REPETITIONS):
        for record in json.loads(json.dumps(_RECORDS)):
            total += len(f'{record["id"]}="{record["name"]}" {sum(record["values"])!r}\n')
    return total
