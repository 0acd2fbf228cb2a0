"""Compares ratios of CPU times with those kept in benchmarks/ratios.json.

`python -m benchmarks.check` fails if a ratio is worse by more than a quarter; `--write` replaces the kept ratios.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from benchmarks.check.measures import measure

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = Path(__file__).parents[1] / "ratios.json"
TOLERANCE = 1.25
ATTEMPTS = 3  # other load can only make a ratio worse, so the best of several attempts counts


def main(arguments: list[str]) -> int:
    """Measure, print each ratio with the kept one, and return 1 if one is worse."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"}
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if "--write" in arguments:
        best = best_of([measure() for _ in range(ATTEMPTS)])
        KEPT.write_text(json.dumps({name: round(ratio, 3) for name, ratio in best.items()}, indent=2) + "\n")
        return 0
    kept: dict[str, float] = json.loads(KEPT.read_text())
    best = measure()
    for _ in range(ATTEMPTS - 1):
        if worse(best, kept):
            best = best_of([best, measure()])
    for name, ratio in best.items():
        print(f"{name:<56}{ratio:>8.2f}{kept.get(name, 0.0):>8.2f}{'  worse' if name in worse(best, kept) else ''}")
    return int(bool(worse(best, kept)))


def best_of(measured: list[dict[str, float]]) -> dict[str, float]:
    """Return the lowest of several measurements of each ratio."""
    return {name: min(each[name] for each in measured) for name in measured[0]}


def worse(measured: Mapping[str, float], kept: Mapping[str, float]) -> list[str]:
    """Return the names of ratios that have no kept value, or exceed it by more than the tolerance."""
    return [name for name, ratio in measured.items() if ratio > kept.get(name, 0.0) * TOLERANCE]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
