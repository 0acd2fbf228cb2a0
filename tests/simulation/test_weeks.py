"""A few weeks of the whole program on virtual time. tests/suites/simulation runs many more."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from exporter.providers.registry import DEFAULT_SERVICE, SERVICES
from simulation.world import run


@pytest.mark.parametrize(("service", "seed"), [(DEFAULT_SERVICE.name, 2), *((name, 1) for name in SERVICES)])
def test_a_week_with_faults_violates_no_invariant(service: str, seed: int) -> None:
    """Every invariant holds at every scrape; the notes of a failure list the last events."""
    result = run(seed, service=service)
    assert result.counts["scrape"] > 5
    assert result.counts["request"] > 100


def test_a_seed_produces_the_same_week_in_every_process() -> None:
    """The digest of all events and pages is the same in this process and with another hash seed.

    The seed decides the service too.
    """
    here = [run(seed, days=1.0).digest for seed in (3, 4, 3)]
    assert here[0] == here[2] != here[1]
    command = [sys.executable, "-m", "simulation", "--seed", "3", "--days", "1"]
    env = {**os.environ, "PYTHONHASHSEED": "0" if sys.flags.hash_randomization else "1"}
    printed = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == here[0]
