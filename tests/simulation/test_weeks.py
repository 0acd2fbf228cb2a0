"""A few weeks of the whole program on virtual time; tests/suites/simulation runs a thousand."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from simulation.world import run


@pytest.mark.parametrize("seed", range(1, 13))
def test_a_week_of_troubles_breaks_no_promise(seed: int) -> None:
    """Nothing is counted twice, lost, silent or stale, whatever happens; the last events are in the failure's notes."""
    result = run(seed)
    assert result.counts["scrape"] > 10
    assert result.counts["request"] > 100


def test_a_seed_gives_the_same_week_in_any_process() -> None:
    """To the last byte of the last page, in this process and in others that hash otherwise."""
    here = [run(seed, days=2.0).digest for seed in (3, 4, 3)]
    assert here[0] == here[2] != here[1]
    for hashing in ("1", "2"):
        command = [sys.executable, "-m", "virtual", "--seed", "3", "--days", "2"]
        env = {**os.environ, "PYTHONHASHSEED": hashing}
        printed = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
        assert printed.strip() == here[0]
