"""Whatever AWS, a user or a scraper may write, by a fuzzer that learns from what it reaches."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from targets import TARGETS  # type: ignore[import-not-found] # beside this file

HERE = Path(__file__).parent
SECONDS = int(os.environ.get("FUZZ_SECONDS", "0"))
# The same inputs each time and on every machine, or, where seconds are given, others for as long.
RUNS = 2000
EXTENT = [f"-max_total_time={SECONDS}"] if SECONDS else [f"-runs={RUNS}", "-seed=1"]


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_unexpected_comes_of_anything(name: str, tmp_path: Path) -> None:
    """Nothing is raised but what readers expect, nothing hangs and memory stays; what was found is kept to be tried."""
    limits = [*EXTENT, "-timeout=10", "-rss_limit_mb=1500", "-max_len=4096"]
    command = [sys.executable, str(HERE / "fuzz.py"), name, str(tmp_path / "corpus"), *limits, "-print_final_stats=1"]
    done = subprocess.run(
        [*command, f"-artifact_prefix={tmp_path}/"], capture_output=True, text=True, check=False, timeout=SECONDS + 120
    )
    assert done.returncode == 0, done.stderr[-4000:]
    runs = next(line for line in done.stderr.splitlines() if "number_of_executed_units" in line)
    assert int(runs.split()[-1]) >= (100 if SECONDS else RUNS)
    print(name, runs.split()[-1], "runs")  # noqa: T201 (the figures that docs/reliability.md states)
