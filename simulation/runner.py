"""Many seeds at once, on every core."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from os import cpu_count
from typing import TYPE_CHECKING

from simulation.world import Result, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AT_ONCE = 8  # seeds that a process takes on together
# What is told of the events, under the names that people know them by.
TOLD = {
    "request": "requests",
    "scrape": "scrapes checked",
    "before commit": "commits",
    "fault": "faults of the service",
    "lie": "wrong answers that look right",
    "replica": "stale replicas",
    "unlisted": "jobs missing from the list",
    "slow": "slow spells",
    "network cut": "outages",
    "disk full": "full disks",
    "host clock": "steps of the host's clock",
    "fleet": "changes of the fleet",
    "reload": "reloads",
    "crash": "crashes",
    "stop": "clean stops",
}


@dataclass(slots=True)
class Report:
    """What many seeds came to."""

    seeds: int = 0
    hours: float = 0.0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Sum it up."""
        told = ", ".join(f"{self.counts[kind]:,} {name}" for kind, name in TOLD.items())
        failed = f"FAILED: {sorted(self.failed)}" if self.failed else "none failed"
        return f"{self.seeds:,} seeds, {self.hours:,.0f} virtual hours in {self.seconds:.0f} s, {failed}: {told}"


def run_many(seeds: Sequence[int], days: float = 7.0, say: Callable[[str], None] = lambda _: None) -> Report:
    """Run seeds, each as it would run alone."""
    report, began = Report(), time.monotonic()
    with ProcessPoolExecutor(cpu_count()) as pool:
        for outcome in pool.map(_outcome, seeds, [days] * len(seeds), chunksize=AT_ONCE):
            report.seeds += 1
            if isinstance(outcome, Result):
                report.hours += outcome.hours
                report.counts += outcome.counts
            else:
                seed, message = outcome
                report.failed[seed] = message
                say(f"seed {seed}: {message}\n")
    report.seconds = time.monotonic() - began
    return report


def _outcome(seed: int, days: float) -> Result | tuple[int, str]:
    try:
        return run(seed, days=days)
    except Exception as error:  # noqa: BLE001 (whatever it is, the seed failed)
        return seed, "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])
