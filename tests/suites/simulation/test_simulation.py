"""Hundreds of virtual weeks without a violated invariant, and planted defects that a few weeks find."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from os import cpu_count
from typing import TYPE_CHECKING

import pytest

from simulation.runner import run_many
from simulation.trace import DefectError
from simulation.world import run
from tests.suites.simulation.defects import counting, credentials, exposition, logs, polling

if TYPE_CHECKING:
    from collections.abc import Callable

DEFECTS = (*counting.DEFECTS, *polling.DEFECTS, *credentials.DEFECTS, *logs.DEFECTS, *exposition.DEFECTS)
SEEDS = range(1, 251)
MAX_SEEDS = 100  # seeds that may run until one finds a defect
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
    with ProcessPoolExecutor(cpu_count()) as pool:
        return dict(zip((defect.__name__ for defect in DEFECTS), pool.map(find, DEFECTS), strict=True))


@pytest.mark.thorough
@pytest.mark.parametrize("defect", [defect.__name__ for defect in DEFECTS])
def test_an_invariant_finds_the_defect(defect: str, finders: dict[str, int | str]) -> None:
    """An invariant that cannot fail would be useless."""
    assert isinstance(finders[defect], int), finders[defect]


def find(defect: Callable[[pytest.MonkeyPatch], None]) -> int | str:
    """Plant a defect and run one seed after another; return the first that an invariant fails, or what went wrong.

    A defect replaces a function or a constant of the program by a wrong one. Most of these are private, so a rename
    breaks the patch. Then `setattr` raises an error, or the program raises an exception, which is not a finding.
    """
    with pytest.MonkeyPatch.context() as patch:
        defect(patch)
        for seed in range(1, MAX_SEEDS + 1):
            try:
                run(seed)
            except DefectError as error:
                return f"seed {seed} raised an exception: {error}"
            except AssertionError:
                return seed
    return f"no invariant failed in {MAX_SEEDS} seeds"
