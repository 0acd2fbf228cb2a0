"""A thousand virtual weeks without a broken promise, and every defect that is put in found by a few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from suites.simulation.defects import DEFECTS
from virtual.many import run_many
from virtual.world import run

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = 1000
ENOUGH = 30  # seeds within which a defect is found


def test_a_thousand_weeks_break_no_promise(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever goes wrong; a seed that fails says what happened last, and how to repeat it."""
    report = run_many(range(1, SEEDS + 1))
    with capsys.disabled():
        print(f"\n{report}")
    assert not report.failed, "\n\n".join(report.failed.values())
    assert report.hours > SEEDS * 7 * 24
    # A thousand weeks in which nothing went wrong would prove nothing.
    assert min(report.counts[kind] for kind in ("crash", "stop", "reload", "fault", "lie", "disk full")) > SEEDS / 2


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_a_defect_is_found(defect: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """By a handful of seeds: an invariant that cannot fail would be none."""
    defect(monkeypatch)
    with pytest.raises(AssertionError):
        run_all(range(1, ENOUGH + 1))


def run_all(seeds: range) -> None:
    """Run seeds one after the other, until one fails."""
    for seed in seeds:
        run(seed)
