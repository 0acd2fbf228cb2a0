"""Hundreds of simulated clusters violate no invariant, and some of them find planted defects."""

from __future__ import annotations

import pytest

from simulation.replicas.world import run
from simulation.runner import run_many
from tests.suites.simulation.defects import replicas
from tests.suites.simulation.planting import find_all

SEEDS = range(1, 301)
FREQUENT_EVENTS = (
    "kill",
    "kill at commit",
    "stop",
    "roll-out",
    "scale-up",
    "suspend",
    "link",
    "database away",
    "failover",
    "database clock",
    "rows rejected",
)


def test_no_cluster_violates_an_invariant(capsys: pytest.CaptureFixture[str]) -> None:
    """A failed seed reports the last events, and the command that repeats it."""
    report = run_many(SEEDS, run)
    with capsys.disabled():
        print(f"\n{report}")
    assert not report.failed, "\n\n".join(report.failed.values())
    assert min(report.counts[kind] for kind in FREQUENT_EVENTS) > len(SEEDS) / 5


@pytest.fixture(scope="module")
def finders() -> dict[str, int | str]:
    """Return the first seed that finds each defect, or the error."""
    return find_all(replicas.DEFECTS, run)


@pytest.mark.thorough
@pytest.mark.parametrize("defect", [defect.__name__ for defect in replicas.DEFECTS])
def test_an_invariant_finds_the_defect(defect: str, finders: dict[str, int | str]) -> None:
    """An invariant that cannot fail would be useless."""
    assert isinstance(finders[defect], int), finders[defect]
