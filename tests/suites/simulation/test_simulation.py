"""A thousand virtual weeks without a broken promise, and every defect that is put in found by a few of them."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from os import cpu_count
from typing import TYPE_CHECKING

import pytest

from simulation.runner import run_many
from simulation.world import run
from tests.suites.simulation.defects import DEFECTS

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = range(1, 1001)
ENOUGH = 100  # seeds within which a defect is found
KINDS = ("crash", "stop", "reload", "fault", "lie", "replica", "disk full")


def test_weeks_break_no_promise(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever goes wrong; a seed that fails says what happened last, and how to repeat it."""
    report = run_many(SEEDS)
    with capsys.disabled():
        print(f"\n{report}")
    assert not report.failed, "\n\n".join(report.failed.values())
    assert report.hours > len(SEEDS) * 7 * 24
    # Weeks in which nothing went wrong would prove nothing.
    assert min(report.counts[kind] for kind in KINDS) > len(SEEDS) / 2


@pytest.fixture(scope="module")
def finders() -> dict[str, int | None]:
    """Give the first seed that finds each defect."""
    with ProcessPoolExecutor(cpu_count()) as pool:
        return dict(zip((defect.__name__ for defect in DEFECTS), pool.map(first_to_fail, DEFECTS), strict=True))


@pytest.mark.thorough
@pytest.mark.parametrize("defect", [defect.__name__ for defect in DEFECTS])
def test_a_defect_is_found(defect: str, finders: dict[str, int | None]) -> None:
    """By a handful of seeds: an invariant that cannot fail would be none."""
    assert finders[defect] is not None


def first_to_fail(defect: Callable[[pytest.MonkeyPatch], None]) -> int | None:
    """Put a defect in and run one seed after the other, until one fails; None is that all went well."""
    with pytest.MonkeyPatch.context() as patch:
        defect(patch)
        for seed in range(1, ENOUGH + 1):
            try:
                run(seed)
            except AssertionError:
                return seed
    return None
