"""Hundreds of virtual weeks without a violated invariant, and planted defects that a few weeks find."""

from __future__ import annotations

import pytest

from simulation.runner import run_many
from simulation.world import run
from tests.suites.simulation.defects import counting, credentials, exposition, logs, operations, polling
from tests.suites.simulation.planting import find_all

DEFECTS = (
    *counting.DEFECTS,
    *polling.DEFECTS,
    *credentials.DEFECTS,
    *logs.DEFECTS,
    *exposition.DEFECTS,
    *operations.DEFECTS,
)
SEEDS = range(1, 101)
FREQUENT_EVENTS = (
    "crash",
    "stop",
    "reload",
    "fault",
    "wrong data",
    "stale replica",
    "disk full",
    "credentials hang",
    "stderr",
    "reconfiguration",
    "crash loop",
    "absence",
)


def test_no_week_violates_an_invariant(capsys: pytest.CaptureFixture[str]) -> None:
    """A failed seed reports the last events, and the command that repeats it."""
    report = run_many(SEEDS)
    with capsys.disabled():
        print(f"\n{report}")
    assert not report.failed, "\n\n".join(report.failed.values())
    assert report.hours > len(SEEDS) * 7 * 24
    # Weeks without faults would prove nothing.
    assert min(report.counts[kind] for kind in FREQUENT_EVENTS) > len(SEEDS) / 2


@pytest.fixture(scope="module")
def finders() -> dict[str, int | str]:
    """Return the first seed that finds each defect, or what went wrong."""
    return find_all(DEFECTS, run)


@pytest.mark.thorough
@pytest.mark.parametrize("defect", [defect.__name__ for defect in DEFECTS])
def test_an_invariant_finds_the_defect(defect: str, finders: dict[str, int | str]) -> None:
    """An invariant that cannot fail would be useless."""
    assert isinstance(finders[defect], int), finders[defect]
