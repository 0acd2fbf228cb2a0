"""Runs many seeds in parallel, on every core."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from os import cpu_count
from typing import TYPE_CHECKING

from simulation.world import Result, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# The events that the report counts, and their names in it.
REPORTED = {
    "request": "requests",
    "scrape": "checked scrapes",
    "before commit": "commits",
    "fault": "service faults",
    "wrong data": "spells of plausible wrong data",
    "stale replica": "stale replicas",
    "missing job": "jobs missing from lists",
    "slow responses": "slow periods",
    "outage": "outages",
    "disk full": "full disks",
    "host clock": "steps of the host's clock",
    "wrong dates": "wrong clocks at first contact",
    "credentials fail": "sources of credentials that fail",
    "credentials hang": "sources of credentials that hang",
    "credentials rotate": "rotated credentials",
    "fleet change": "changes of the fleet",
    "reload": "reloads",
    "stderr": "faults of stderr",
    "reconfiguration": "reloads of another configuration",
    "crash": "crashes",
    "crash loop": "crash loops",
    "absence": "long absences",
    "stop": "clean stops",
    "kill": "killed replicas",
    "kill at commit": "replicas killed between a commit and its response",
    "suspend": "suspended replicas",
    "roll-out": "roll-outs",
    "scale-up": "scale-ups",
    "link": "faults of the network to the database",
    "database away": "outages of the database",
    "failover": "failovers that lose commits",
    "database clock": "steps of the database's clock",
}


@dataclass(slots=True)
class RunReport:
    """The results of many seeds."""

    seeds: int = 0
    hours: float = 0.0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return a summary in one line."""
        counts = ", ".join(f"{self.counts[kind]:,} {name}" for kind, name in REPORTED.items() if self.counts[kind])
        failed = f"FAILED: {sorted(self.failed)}" if self.failed else "none failed"
        return f"{self.seeds:,} seeds, {self.hours:,.0f} virtual hours in {self.seconds:.0f} s, {failed}: {counts}"


def run_many(seeds: Sequence[int], run: Callable[[int], Result] = run) -> RunReport:
    """Run seeds, each exactly as it would run alone, and print each failure immediately."""
    report, began = RunReport(), time.monotonic()
    with ProcessPoolExecutor(cpu_count()) as pool:
        for outcome in pool.map(partial(_outcome, run), seeds):
            report.seeds += 1
            if isinstance(outcome, Result):
                report.hours += outcome.hours
                report.counts += outcome.counts
            else:
                seed, message = outcome
                report.failed[seed] = message
                print(f"seed {seed}: {message}\n")
    report.seconds = time.monotonic() - began
    return report


def _outcome(run: Callable[[int], Result], seed: int) -> Result | tuple[int, str]:
    try:
        return run(seed)
    except Exception as error:  # noqa: BLE001 (any exception means that the seed failed)
        return seed, "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])
